//! Runs a script: replays what the envelope records, checkpoints what it does not.

use std::{env, fs, io::Write as _, path::Path, process, thread, time::Duration};

use serde_json::{Map, Value, json};

use crate::http::{self, Address, encode};

pub(crate) enum Answer {
    Value(Value),
    Error { kind: String, message: String },
}

/// How one action went.
enum Done {
    With(Value),
    Suspended,
    Ended(Answer),
}

struct Execution {
    arn: String,
    token: String,
    operations: Map<String, Value>,
    service: Address,
}

pub(crate) fn run(event: &Value, request: &http::Answer) -> Answer {
    match event.get("DurableExecutionArn").and_then(Value::as_str) {
        Some(arn) => run_durable(event, arn, request),
        None => match plain(event, request) {
            Done::With(value) => Answer::Value(value),
            Done::Ended(answer) => answer,
            Done::Suspended => unreachable!("plain actions don't wait"),
        },
    }
}

fn run_durable(event: &Value, arn: &str, request: &http::Answer) -> Answer {
    let mut execution = Execution::open(event, arn);
    let id = arn.rsplit('/').next().expect("an ARN has segments");
    let input = &execution.operations[id]["ExecutionDetails"]["InputPayload"];
    let input: Value = serde_json::from_str(input.as_str().expect("the input is text")).expect("it is JSON");
    let mut last = Value::Null;
    for (position, action) in input["script"].as_array().expect("a script is a list").iter().enumerate() {
        let done = match durable(&mut execution, &format!("op-{position}"), action) {
            Some(done) => done,
            None => plain(action, request),
        };
        match done {
            Done::With(value) => last = value,
            Done::Suspended => return Answer::Value(json!({ "Status": "PENDING" })),
            Done::Ended(answer) => return answer,
        }
    }
    Answer::Value(json!({ "Status": "SUCCEEDED", "Result": last.to_string() }))
}

/// Does an action that is an operation; `None` when it is none.
fn durable(execution: &mut Execution, id: &str, action: &Value) -> Option<Done> {
    let (name, value) =
        action.as_object()?.iter().find(|(name, _)| !["input", "then_sleep"].contains(&name.as_str()))?;
    let start = |kind: &str, sub_type: &str| json!({ "Id": id, "Type": kind, "SubType": sub_type, "Action": "START", "Name": format!("{name} {id}") });
    let (kind, sub_type) = match name.as_str() {
        "step" | "large" | "crash" => ("STEP", "Step"),
        "wait" => ("WAIT", "Wait"),
        "callback" => ("CALLBACK", "Callback"),
        "invoke" => ("CHAINED_INVOKE", "ChainedInvoke"),
        _ => return None,
    };
    let mut update = start(kind, sub_type);
    match name.as_str() {
        "wait" => update["WaitOptions"] = json!({ "WaitSeconds": value }),
        "callback" => update["CallbackOptions"] = value.clone(),
        "invoke" => {
            update["ChainedInvokeOptions"] = json!({ "FunctionName": value });
            update["Payload"] = action["input"].to_string().into();
        }
        _ => {}
    }
    let status = execution.status(id);
    if status.is_none() {
        execution.checkpoint(&[update]);
        thread::sleep(Duration::from_millis(action["then_sleep"].as_u64().unwrap_or_default()));
    }
    if kind == "STEP" && status.as_deref() != Some("SUCCEEDED") {
        let mut result = value.clone();
        if name == "large" {
            let bytes =
                value.as_u64().and_then(|bytes| usize::try_from(bytes).ok()).expect("a number of bytes");
            result = "x".repeat(bytes).into();
        }
        if name == "crash" {
            let marker = Path::new(value.as_str().expect("a file"));
            if !marker.exists() {
                fs::write(marker, "").expect("the file can be written");
                process::exit(7);
            }
            result = "survived".into();
        }
        execution.checkpoint(&[json!({
            "Id": id, "Type": "STEP", "SubType": "Step", "Action": "SUCCEED", "Payload": result.to_string(),
        })]);
    }
    Some(execution.outcome(id, kind))
}

/// Does an action that is no operation.
fn plain(action: &Value, request: &http::Answer) -> Done {
    let (name, value) = action.as_object().and_then(|action| action.iter().next()).expect("an action");
    let text = value.as_str().unwrap_or_default().to_owned();
    match name.as_str() {
        "print" => println!("{text}"),
        "complain" => eprintln!("{text}"),
        "sleep" => thread::sleep(Duration::from_millis(value.as_u64().expect("milliseconds"))),
        "variable" => return Done::With(env::var(&text).map_or(Value::Null, Value::from)),
        "header" => return Done::With(request.header(&text).map_or(Value::Null, Value::from)),
        "pid" => return Done::With(process::id().into()),
        "return" => return Done::With(value.clone()),
        "answer" => return Done::Ended(Answer::Value(value.clone())),
        "throw" => return Done::Ended(Answer::Error { kind: text, message: "thrown".into() }),
        "fail" => {
            let error = json!({ "ErrorType": text, "ErrorMessage": "failed" });
            return Done::Ended(Answer::Value(json!({ "Status": "FAILED", "Error": error })));
        }
        "attempt" => return attempt(Path::new(&text), request),
        "exit" => process::exit(value.as_i64().and_then(|code| i32::try_from(code).ok()).expect("a code")),
        other => panic!("no action is named {other}"),
    }
    Done::With(Value::Null)
}

fn attempt(folder: &Path, request: &http::Answer) -> Done {
    let id = request.header("Lambda-Runtime-Aws-Request-Id").expect("every invocation has an id");
    let mut attempts = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("attempts"))
        .expect("it can be written");
    writeln!(attempts, "{id}").expect("it can be written");
    while folder.join("slow").exists() {
        thread::sleep(Duration::from_millis(20));
    }
    if folder.join("broken").exists() {
        return Done::Ended(Answer::Error { kind: "Broken".into(), message: "broken".into() });
    }
    Done::With(Value::Null)
}

impl Execution {
    fn open(event: &Value, arn: &str) -> Self {
        let mut execution = Self {
            arn: arn.to_owned(),
            token: event["CheckpointToken"].as_str().expect("a token").to_owned(),
            operations: Map::new(),
            service: Address::new(&env::var("AWS_ENDPOINT_URL_LAMBDA").expect("the service has an address")),
        };
        let mut page = event["InitialExecutionState"].clone();
        loop {
            execution.merge(&page);
            let Some(marker) = page["NextMarker"].as_str().filter(|marker| !marker.is_empty()) else {
                return execution;
            };
            let path = format!(
                "/2025-12-01/durable-executions/{}/state?CheckpointToken={}&Marker={}&MaxItems=1000",
                encode(arn),
                encode(&execution.token),
                encode(marker)
            );
            let answer = execution.service.get(&path);
            assert_eq!(answer.status, 200, "{}", answer.body);
            page = serde_json::from_str(&answer.body).expect("a state is JSON");
        }
    }

    fn merge(&mut self, state: &Value) {
        for operation in state["Operations"].as_array().expect("operations are a list") {
            self.operations.insert(operation["Id"].as_str().expect("an id").to_owned(), operation.clone());
        }
    }

    fn checkpoint(&mut self, updates: &[Value]) {
        let path = format!("/2025-12-01/durable-executions/{}/checkpoint", encode(&self.arn));
        let body = json!({ "CheckpointToken": self.token, "Updates": updates });
        let answer = self.service.post(&path, &[("Content-Type", "application/json")], &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).expect("an answer is JSON");
        self.token = answer["CheckpointToken"].as_str().expect("the execution goes on").to_owned();
        self.merge(&answer["NewExecutionState"]);
    }

    fn status(&self, id: &str) -> Option<String> {
        self.operations.get(id)?["Status"].as_str().map(Into::into)
    }

    fn outcome(&self, id: &str, kind: &str) -> Done {
        let details = match kind {
            "STEP" => "StepDetails",
            "CALLBACK" => "CallbackDetails",
            "CHAINED_INVOKE" => "ChainedInvokeDetails",
            _ => "WaitDetails",
        };
        let details = &self.operations[id][details];
        match self.status(id).as_deref() {
            Some("SUCCEEDED") => {
                let result = details["Result"].as_str().unwrap_or("null");
                Done::With(serde_json::from_str(result).unwrap_or_else(|_| result.into()))
            }
            Some("STARTED") => Done::Suspended,
            _ => Done::Ended(Answer::Value(json!({ "Status": "FAILED", "Error": details["Error"] }))),
        }
    }
}
