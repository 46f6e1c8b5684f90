//! The Runtime API: forged answers to invocations of others, and a runtime that misbehaves in its own.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{
    api::{encode, execution_path},
    json::{change_value, malformed},
    oracle,
    random::Random,
    request::{Framing, Request},
    rest::shown,
    wire::{Connection, Outcome, Reply, exchange},
    world::World,
};

const PREFIX: &str = "/2018-06-01/runtime";

/// Speaks to the Runtime API of a process that works for others. It never asks for an invocation: whoever gets one
/// is the runtime.
pub(crate) fn forged(world: &World, random: &mut Random) -> Result<(), String> {
    let address = world.busy_runtime;
    let id = match random.below(8) {
        0 => "00000000-0000-4000-8000-000000000000".to_owned(),
        1 => String::new(),
        2 => "%00".to_owned(),
        3 => "%FF%FE".to_owned(),
        4 => "..".to_owned(),
        5 => "next".to_owned(),
        6 => "a".repeat(1 << random.below(14)),
        _ => encode(&world.exhibits[0].arn),
    };
    let what = *random.pick(&["response", "error", "next", "", "response/x"]);
    let (method, path) = match random.below(6) {
        0 => ("POST", format!("{PREFIX}/init/error")),
        1 => (*random.pick(&["PUT", "HEAD", "OPTIONS", "POST"]), format!("{PREFIX}/invocation/next")),
        2 => ("GET", format!("{PREFIX}/{id}")),
        _ => ("POST", format!("{PREFIX}/invocation/{id}/{what}")),
    };
    let body = match random.below(5) {
        0 => random.bytes(200),
        1 if random.one_in(10) => vec![b' '; 7 << 20],
        2 => b"{\"Status\":\"SUCCEEDED\",\"Result\":\"\\\"forged\\\"\"}".to_vec(),
        3 => malformed(random, b"{\"errorType\":\"E\"}"),
        _ => Vec::new(),
    };
    let mut request = Request::new(address, method, path).body(body);
    match random.below(6) {
        0 => request.framing = Framing::BadChunks,
        1 => request.framing = Framing::Claimed("99999999999999999999".to_owned()),
        2 => request = request.header("Origin", "http://example.com"),
        3 => request.host = b"rebound.example.com".to_vec(),
        4 => request.headers.push((b"lambda-runtime-function-error-type".to_vec(), b"\xff".to_vec())),
        _ => {}
    }
    let bytes = request.bytes();
    let outcome = match Connection::open(address) {
        Ok(mut connection) => {
            connection.send(&bytes);
            if random.one_in(4) {
                connection.end_sending();
            }
            connection.receive(request.to_head())
        }
        // The process was replaced.
        Err(_) => Outcome::Closed,
    };
    oracle::check_runtime(&outcome, request.to_head())
        .map_err(|problem| format!("{}: {problem}", shown(&request)))
}

/// Is the runtime of one invocation: checkpoints with a real token, right and wrong ones, then answers.
pub(crate) fn own(world: &World, random: &mut Random, case: u64) -> Result<(), String> {
    let arn = world.api.start("runtime", &format!("r-{case}"), &json!({ "case": case }));
    world.started(&arn);
    let Some(address) = world.own_runtime() else { return Ok(()) };
    let next = Request::new(address, "GET", format!("{PREFIX}/invocation/next"));
    // It may be another execution's, one whose invocation failed before.
    let Outcome::Replied(invocation) = exchange(address, &next.bytes()) else { return Ok(()) };
    let (Some(id), Some(envelope)) = (invocation.header("lambda-runtime-aws-request-id"), invocation.json())
    else {
        return Err(format!("an invocation without id or envelope: {invocation:?}"));
    };
    let mut session = Session {
        world,
        arn: envelope["DurableExecutionArn"].as_str().ok_or("no ARN")?.to_owned(),
        token: envelope["CheckpointToken"].as_str().ok_or("no token")?.to_owned(),
        used: Vec::new(),
    };
    let mut goes_on = true;
    for position in 0..random.below(10) {
        if goes_on {
            goes_on = session.checkpoint(random, position)?;
        }
    }
    answer(random, address, id)
}

/// An invocation's side of the checkpoint API.
struct Session<'a> {
    world: &'a World,
    arn: String,
    token: String,
    used: Vec<String>,
}

impl Session<'_> {
    /// Sends a checkpoint and holds the server to it: what it refuses changes nothing and costs no token. False
    /// when the checkpoint has ended the execution.
    fn checkpoint(&mut self, random: &mut Random, position: usize) -> Result<bool, String> {
        let before = self.state()?;
        let mut body = json!({
            "CheckpointToken": self.token,
            "ClientToken": format!("{}-{position}", random.next()),
            "Updates": updates(random, position),
        });
        match random.below(6) {
            0 => body["CheckpointToken"] = self.token[..random.below(self.token.len())].into(),
            1 => body["CheckpointToken"] = self.used.last().map_or("AAAA", String::as_str).into(),
            2..=4 => (0..=random.below(3)).for_each(|_| change_value(random, &mut body)),
            _ => {}
        }
        let mut text = body.to_string().into_bytes();
        if random.one_in(8) {
            text = malformed(random, &text);
        }
        let path = execution_path(&self.arn, "/checkpoint");
        let request = Request::new(self.world.api.address, "POST", path).body(text);
        let outcome = exchange(self.world.api.address, &request.bytes());
        let shown = || shown(&request);
        oracle::check(&outcome, false).map_err(|problem| format!("{}: {problem}", shown()))?;
        let Outcome::Replied(reply) = outcome else { return Err(format!("{}: no answer", shown())) };
        if reply.status == 200 {
            return Ok(self.accept(&reply));
        }
        if self.state()? == before {
            Ok(true)
        } else {
            Err(format!("{}: refused, and yet the state has changed: {reply:?}", shown()))
        }
    }

    fn accept(&mut self, reply: &Reply) -> bool {
        let answer = reply.json().unwrap_or_default();
        match answer["CheckpointToken"].as_str() {
            Some(token) => {
                self.used.push(std::mem::replace(&mut self.token, token.to_owned()));
                true
            }
            None => false,
        }
    }

    /// What the invocation is shown under its present token.
    fn state(&self) -> Result<Value, String> {
        let query = format!("/state?MaxItems=1000&CheckpointToken={}", encode(&self.token));
        let reply = self.world.api.send("GET", &execution_path(&self.arn, &query), &[], b"");
        let mut state = reply.json().filter(|_| reply.status == 200).ok_or(format!("no state: {reply:?}"))?;
        // A wait ends by itself.
        if let Some(operations) = state["Operations"].as_array_mut() {
            operations.retain(|operation| operation["Type"] != "WAIT");
        }
        Ok(state)
    }
}

fn updates(random: &mut Random, position: usize) -> Value {
    let id = |what: &str| format!("{what}-{position}");
    match random.below(6) {
        0 => {
            json!([{ "Id": id("w"), "Type": "WAIT", "Action": "START", "WaitOptions": { "WaitSeconds": 600 } }])
        }
        1 => json!([{
            "Id": id("c"), "Type": "CALLBACK", "Action": "START",
            "CallbackOptions": { "TimeoutSeconds": 900, "HeartbeatTimeoutSeconds": 800 },
        }]),
        2 => json!([
            { "Id": id("x"), "Type": "CONTEXT", "SubType": "Map", "Action": "START" },
            { "Id": id("y"), "ParentId": id("x"), "Type": "STEP", "Action": "SUCCEED", "Payload": "1" },
            { "Id": id("x"), "Type": "CONTEXT", "Action": "SUCCEED", "ContextOptions": { "ReplayChildren": true } },
        ]),
        3 => json!([{
            "Id": id("i"), "Type": "CHAINED_INVOKE", "Action": "START", "Payload": "{}",
            "ChainedInvokeOptions": { "FunctionName": "nobody:$LATEST", "TenantId": "t" },
        }]),
        4 => json!([{
            "Id": id("r"), "Type": "STEP", "Action": "RETRY", "Error": { "ErrorType": "E" },
            "StepOptions": { "NextAttemptDelaySeconds": 600 },
        }]),
        _ => json!([
            { "Id": id("s"), "Type": "STEP", "SubType": "Step", "Name": "s", "Action": "START" },
            { "Id": id("s"), "Type": "STEP", "Action": "SUCCEED", "Payload": "\"done\"" },
        ]),
    }
}

/// Answers the invocation: wrongly at first, then for good, then once more.
fn answer(random: &mut Random, address: SocketAddr, id: &str) -> Result<(), String> {
    let post = |id: &str, what: &str, body: &[u8]| {
        let path = format!("{PREFIX}/invocation/{id}/{what}");
        let outcome = exchange(address, &Request::new(address, "POST", path).body(body).bytes());
        oracle::check_runtime(&outcome, false)?;
        match outcome {
            Outcome::Replied(reply) => Ok(reply.status),
            _ => Err("the Runtime API closed the connection".to_owned()),
        }
    };
    let succeeded = br#"{"Status":"SUCCEEDED","Result":"1"}"#;
    let other = uuid::Uuid::new_v4().to_string();
    if post(&other, "response", succeeded)? != 400 {
        return Err("an answer to an invocation that does not exist was accepted".to_owned());
    }
    let accepted = match random.below(8) {
        0 => post(id, "response", &malformed(random, succeeded))?,
        1 => post(id, "response", br#"{"Status":"PENDING","Result":1}"#)?,
        2 => post(id, "error", &random.bytes(100))?,
        _ => post(id, "response", succeeded)?,
    };
    if accepted != 202 {
        return Err(format!("the answer to an invocation was refused with {accepted}"));
    }
    match post(id, "response", succeeded)? {
        400 => Ok(()),
        status => Err(format!("a second answer to an invocation was answered with {status}")),
    }
}
