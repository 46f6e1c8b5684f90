//! Requests to the REST API that are wrong somewhere.

use serde_json::{Value, json};

use crate::{
    api::encode,
    json::{change_value, malformed},
    oracle,
    random::Random,
    request::{Framing, Request},
    wire::{Connection, Outcome},
    world::World,
};

/// What a request may do to the server's data.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// It only reads, or aims at what does not exist: anything may be wrong with it, or nothing.
    Harmless,
    /// It would change an exhibit or start an execution, were it not for what is wrong with it in the end.
    Spoilt,
    /// It may be in order, and is accounted for.
    Start,
}

pub(crate) fn case(world: &World, random: &mut Random) -> Result<(), String> {
    let (mut request, aim) = request(world, random);
    for _ in 0..random.below(3) {
        distort(random, &mut request, aim);
    }
    if aim == Aim::Spoilt {
        spoil(random, &mut request);
    }
    let outcome = deliver(world, random, &request, aim);
    if aim == Aim::Start {
        match &outcome {
            Outcome::Replied(reply) => match reply.header("x-amz-durable-execution-arn") {
                Some(arn) => world.started(arn),
                None if reply.status >= 400 || reply.status == 204 => {}
                None => return Err(format!("a start without an ARN: {reply:?}")),
            },
            _ => world.perhaps_started(),
        }
    }
    if aim == Aim::Spoilt
        && let Outcome::Replied(reply) = &outcome
        && reply.status < 300
    {
        return Err(format!("{} was answered {}", shown(&request), reply.status));
    }
    oracle::check(&outcome, request.to_head()).map_err(|problem| format!("{}: {problem}", shown(&request)))
}

pub(crate) fn shown(request: &Request) -> String {
    let bytes = request.bytes();
    String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned()
}

fn request(world: &World, random: &mut Random) -> (Request, Aim) {
    let address = world.api.address;
    let exhibit = random.pick(&world.exhibits);
    let real = random.one_in(2);
    let arn = if real { encode(&exhibit.arn) } else { label(random, &exhibit.arn) };
    let id = if real { encode(&exhibit.callback) } else { label(random, &exhibit.callback) };
    let changing = if real { Aim::Spoilt } else { Aim::Harmless };
    let executions = format!("/2025-12-01/durable-executions/{arn}");
    let callbacks = format!("/2025-12-01/durable-execution-callbacks/{id}");
    let get = |path: String| Request::new(address, "GET", path);
    let post = |path: String| Request::new(address, "POST", path);
    match random.below(17) {
        0 => (get(executions).query(query(random)), Aim::Harmless),
        1 => (get(format!("{executions}/history")).query(query(random)), Aim::Harmless),
        2 => (get(format!("{executions}/state")).query(query(random)), Aim::Harmless),
        3 => {
            let function = label(random, "good");
            let path = format!("/2025-12-01/functions/{function}/durable-executions");
            (get(path).query(query(random)), Aim::Harmless)
        }
        4 => {
            let path = format!("/_durable/durable-executions/{arn}/logs");
            (get(path).query(query(random)), Aim::Harmless)
        }
        5 => (
            get(random.pick(&["/_durable/health", "/_durable/functions", "/", "*"]).to_string()),
            Aim::Harmless,
        ),
        6 | 7 => (post(format!("{executions}/checkpoint")).body(checkpoint(random)), Aim::Harmless),
        8 => (post(format!("{executions}/stop")).body(error(random)), changing),
        9 => (post(format!("{callbacks}/fail")).body(error(random)), changing),
        10 => (post(format!("{callbacks}/succeed")).body("\"approved\""), changing),
        11 => (post(format!("{callbacks}/heartbeat")), Aim::Harmless),
        12 => (post(format!("{executions}/pause")).body(pause(random)), changing),
        13 => (post(format!("{executions}/resume")).body(pause(random)), changing),
        14 => {
            // Spoilt by another method it would be in order: only what does not exist is deleted.
            let arn = label(random, &exhibit.arn);
            let path = format!("/2025-12-01/durable-executions/{arn}");
            (Request::new(address, "DELETE", path), Aim::Harmless)
        }
        15 => {
            let function = if random.one_in(2) { "good".to_owned() } else { "plain".to_owned() };
            let path = format!("/2015-03-31/functions/{function}/invocations");
            let request = post(path).query("Qualifier=%24LATEST").body(r#"{"script":[]}"#);
            (request.header("x-amz-invocation-type", "Event"), Aim::Spoilt)
        }
        _ => {
            let name = random.text(8, "abcdefghijklmnopqrstuvwxyz0123456789-_");
            let path = "/2015-03-31/functions/open/invocations".to_owned();
            let request =
                post(path).query("Qualifier=%24LATEST").body(r#"{"script":[{"step":1}],"Extra":{}}"#);
            let request = request.header("x-amz-durable-execution-name", &name);
            let kind = *random.pick(&["RequestResponse", "Event", "DryRun", "requestresponse"]);
            (request.header("x-amz-invocation-type", kind), Aim::Start)
        }
    }
}

/// An encoded label that is not `real`.
fn label(random: &mut Random, real: &str) -> String {
    match random.below(14) {
        0 => encode(&real.replace(['0', '1', '2'], "3")),
        1 => encode(&real[..random.below(real.len())]),
        2 => format!("{}%00", encode(real)),
        3 => format!("{}%2F..%2F..", encode(real)),
        4 => "%FF%FE%C0%AF".to_owned(),
        // Encoded twice.
        5 => format!("%25{:X}{}", real.as_bytes()[0], encode(&real[1..])),
        6 => "%".to_owned(),
        7 => "%zz%2".to_owned(),
        8 => "..".to_owned(),
        9 => "%E2%80%AE".repeat(1 << random.below(8)),
        10 => "a".repeat(1 << random.below(14)),
        11 => format!("{real}x"),
        12 => String::new(),
        _ => "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A%24LATEST%2Fdurable-execution%2Fn%2Fffffffffffffffff-0000000000000001".to_owned(),
    }
}

fn query(random: &mut Random) -> String {
    let mut pairs = Vec::new();
    for _ in 0..random.below(4) {
        let key = *random.pick(&[
            "MaxItems",
            "Marker",
            "ReverseOrder",
            "IncludeExecutionData",
            "Statuses",
            "StartedAfter",
            "StartedBefore",
            "CheckpointToken",
            "DurableExecutionName",
            "Qualifier",
            "",
            "%FF",
            "x",
        ]);
        let value = *random.pick(&[
            "",
            "0",
            "1",
            "-1",
            "1000",
            "1001",
            "1e3",
            "18446744073709551616",
            "9223372036854775807",
            "true",
            "False",
            "maybe",
            "RUNNING",
            "PAUSED",
            "DELETING",
            "PENDING",
            "x",
            "0.0",
            "1.18446744073709551615",
            "0.1.2",
            ".5",
            "+5",
            "9999-12-31T23%3A59%3A59Z",
            "-009999-01-01T00%3A00%3A00Z",
            "2024-02-30T00%3A00%3A00Z",
            "2024-01-01T00:00:00+99:99",
            "AAAA%2BBBB%3D%3D",
            "%00",
            "%FF%FE",
            "%25%32%46",
            "'; DROP TABLE executions;--",
        ]);
        pairs.push(format!("{key}={}", value.replace(' ', "%20")));
    }
    pairs.join("&")
}

fn error(random: &mut Random) -> Vec<u8> {
    let mut error = json!({
        "ErrorType": "Declined", "ErrorMessage": "no", "ErrorData": "{}", "StackTrace": ["at a", "at b"],
    });
    if random.one_in(2) {
        change_value(random, &mut error);
    }
    error.to_string().into_bytes()
}

fn pause(random: &mut Random) -> Vec<u8> {
    let mut pause = json!({ "Reason": "lunch", "ClientToken": "0000", "ExecutionTimeoutPaused": true });
    if random.one_in(2) {
        change_value(random, &mut pause);
    }
    pause.to_string().into_bytes()
}

/// A checkpoint under a token that was never given.
fn checkpoint(random: &mut Random) -> Vec<u8> {
    let token = *random.pick(&["", "AAAA", "AAAA====", "not base64!", "\u{0}", "dG9rZW4=", "-_-_"]);
    let mut body: Value = json!({
        "CheckpointToken": token,
        "ClientToken": "00000000-0000-4000-8000-000000000000",
        "Updates": [
            { "Id": "a", "Type": "STEP", "SubType": "Step", "Name": "a", "Action": "START" },
            { "Id": "a", "Type": "STEP", "Action": "SUCCEED", "Payload": "1" },
            { "Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": { "WaitSeconds": 1 } },
        ],
    });
    for _ in 0..random.below(3) {
        change_value(random, &mut body);
    }
    let text = body.to_string().into_bytes();
    if random.one_in(4) { malformed(random, &text) } else { text }
}

/// Changes something that leaves the request what it is, or makes it worse.
fn distort(random: &mut Random, request: &mut Request, aim: Aim) {
    match random.below(if aim == Aim::Harmless { 12 } else { 5 }) {
        0 => {
            let name = random.pick(&["x-amz-tenant-id", "x-amz-log-type", "accept", "authorization", "x"]);
            let value = match random.below(5) {
                0 => random.bytes(40).into_iter().filter(|byte| ![b'\r', b'\n', 0].contains(byte)).collect(),
                1 => vec![b'a'; 1 << random.below(17)],
                2 => "\u{e9}\u{1f600}".as_bytes().to_vec(),
                3 => b"Tail".to_vec(),
                _ => Vec::new(),
            };
            request.headers.push((name.as_bytes().to_vec(), value));
        }
        1 => request.headers.extend((0..random.below(200)).map(|n| (format!("h{n}").into(), b"v".to_vec()))),
        2 => request.headers.push((b"content-type".to_vec(), b"text/plain;charset=\"".to_vec())),
        3 => request.headers.push((b"Expect".to_vec(), b"100-continue".to_vec())),
        4 => request
            .headers
            .push((b"connection".to_vec(), random.pick(&["close", "upgrade"]).as_bytes().to_vec())),
        5 => {
            request.method =
                random.pick(&["PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "G\u{0}T"]).to_string();
        }
        6 => request.version = *random.pick(&["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "http/1.1", ""]),
        7 => {
            request.framing = match random.below(7) {
                0 => Framing::Chunked,
                1 => Framing::ChunkedAndLength(request.body.len().to_string()),
                2 => Framing::ChunkedAndLength("4".to_owned()),
                3 => Framing::BadChunks,
                4 => Framing::Claimed("18446744073709551616".to_owned()),
                5 => Framing::Claimed("-1".to_owned()),
                _ => Framing::Claimed(format!("{}, {}", request.body.len(), request.body.len())),
            }
        }
        8 => request.headers.push((b"content-length".to_vec(), random.below(100).to_string().into())),
        9 => request.body = if random.one_in(20) { vec![b' '; 40 << 20] } else { random.bytes(2000) },
        10 => request
            .path
            .extend_from_slice(random.pick(&["/", "//", "/x/y", "%20", ";a=b", "\\", "?", "#f"]).as_bytes()),
        _ => spoil_sender(random, request),
    }
}

/// Makes the request one that must not be carried out.
fn spoil(random: &mut Random, request: &mut Request) {
    let path = String::from_utf8_lossy(&request.path).into_owned();
    match random.below(5) {
        0 => spoil_sender(random, request),
        1 => request.method = random.pick(&["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]).to_string(),
        2 => request.path = path.replacen('2', "3", 1).into_bytes(),
        _ if path.ends_with("/succeed") => {
            request.body = if random.one_in(10) { vec![b'x'; 257 << 10] } else { b"\"\xff\"".to_vec() }
        }
        3 if path.ends_with("/invocations") => {
            let (name, value): (&str, &[u8]) = *random.pick(&[
                ("x-amz-durable-execution-name", &b"a name"[..]),
                ("x-amz-durable-execution-name", b"\xff"),
                ("x-amz-tenant-id", b"<tenant>"),
                ("x-amz-client-context", b"no base64"),
            ]);
            // A plain function knows no names, and a durable one no client context.
            let durable = path.contains("/good/");
            match (name, durable) {
                ("x-amz-durable-execution-name", false) | ("x-amz-client-context", true) => {
                    request.body = b"{".to_vec();
                }
                _ => {
                    request.headers.retain(|(known, _)| known != name.as_bytes());
                    request.headers.push((name.into(), value.into()));
                }
            }
        }
        _ if random.one_in(50) => request.body = vec![b' '; (6 << 20) + 1],
        4 if !path.ends_with("/invocations") => {
            let members = match path.ends_with("/pause") || path.ends_with("/resume") {
                true => [r#"{"Reason":5}"#, r#"{"ClientToken":"a b"}"#],
                false => [r#"{"ErrorMessage":5}"#, r#"{"StackTrace":"x"}"#],
            };
            let wrong = ["[]", "\"text\"", "1", "true", members[0], members[1]];
            request.body = random.pick(&wrong).as_bytes().to_vec();
        }
        _ => request.body = malformed(random, &request.body.clone()),
    }
}

/// Makes the sender one that is not answered: a web page.
fn spoil_sender(random: &mut Random, request: &mut Request) {
    match random.below(6) {
        0 => request.host = b"rebound.example.com".to_vec(),
        1 => request.host = b"localhost\xff".to_vec(),
        2 => request.headers.push((b"Origin".to_vec(), b"https://example.com".to_vec())),
        3 => request.headers.push((b"Origin".to_vec(), b"null".to_vec())),
        4 => request.headers.push((b"host".to_vec(), b"localhost".to_vec())),
        _ => request.headers.push((b"Sec-Fetch-Site".to_vec(), b"cross-site".to_vec())),
    }
}

/// Sends the request in one of the ways in which clients send.
fn deliver(world: &World, random: &mut Random, request: &Request, aim: Aim) -> Outcome {
    let bytes = request.bytes();
    let Ok(mut connection) = Connection::open(world.api.address) else { return Outcome::Closed };
    let way = if aim == Aim::Start { random.below(4) } else { random.below(12) };
    match way {
        // In pieces.
        1 | 5 if bytes.len() < 5000 => {
            for piece in bytes.chunks(1 + random.below(700)) {
                connection.send(piece);
            }
        }
        // As one who has said everything.
        2 | 6 => {
            connection.send(&bytes);
            connection.end_sending();
        }
        // And away: perhaps carried out, perhaps not.
        3 | 7 if random.one_in(3) => {
            connection.send(&bytes);
            return Outcome::Closed;
        }
        // The beginning, and nothing more for ever.
        8 => {
            connection.send(&bytes[..random.below(bytes.len())]);
            world.leave(connection);
            return Outcome::Closed;
        }
        // The beginning, and the end of the connection.
        9 => {
            connection.send(&bytes[..random.below(bytes.len())]);
            connection.end_sending();
        }
        // Twice, without waiting.
        10 if bytes.len() < 5000 => {
            connection.send(&bytes);
            connection.send(&bytes);
            if let Outcome::Replied(first) = connection.receive(request.to_head()) {
                let first = Outcome::Replied(first);
                if oracle::check(&first, request.to_head()).is_err() {
                    return first;
                }
            }
        }
        // Noise first.
        11 => {
            connection.send(&random.bytes(100));
            connection.send(&bytes);
        }
        _ => drop(connection.send(&bytes)),
    }
    connection.receive(request.to_head())
}
