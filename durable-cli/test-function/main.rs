//! A Lambda function that does what its input says: a loop over the Runtime API, in std's blocking I/O, with
//! nothing of ours in it. It knows the two protocols only as the specification of AWS words them.
//!
//! A durable input is `{"script": [ACTION, …]}`; operation `n` is action `n`. A plain input is one action.
//!
//! ```text
//! {"step": RESULT}             a step with this result
//! {"large": BYTES}             a step with a result of this size
//! {"crash": FILE}              a step during which the process dies, unless FILE exists; creates FILE
//! {"wait": SECONDS}            a wait
//! {"callback": {OPTIONS}}      a callback; its result is the action's
//! {"invoke": F, "input": X}    a chained invoke
//! {…, "then_sleep": MILLIS}    takes time after the START of this operation
//! {"header": NAME}             a header of the invocation
//! {"print": TEXT}              a line on stdout, on every replay
//! {"complain": TEXT}           a line on stderr, on every replay
//! {"sleep": MILLISECONDS}      takes time, on every replay
//! {"variable": NAME}           the value of an environment variable
//! {"pid": true}                the process's id
//! {"return": VALUE}            the execution's result; by default, the result of the last action
//! {"fail": TYPE}               fails the execution
//! {"throw": TYPE}              reports an error of the invocation
//! {"answer": VALUE}            answers this instead of an envelope
//! {"attempt": FOLDER}          adds the request id to FOLDER/attempts; takes time while FOLDER/slow is there, and
//!                              reports an error while FOLDER/broken is
//! {"exit": CODE}               ends the process, without an answer
//! ```

#![allow(
    clippy::indexing_slicing,
    reason = "JSON answers `null` for what is absent, and helpers fail tests by panicking"
)]

mod http;
mod script;

use std::{env, process::exit};

use serde_json::{Value, json};

use crate::{http::Address, script::Answer};

fn main() {
    let runtime = Address::new(&env::var("AWS_LAMBDA_RUNTIME_API").expect("a host starts functions"));
    if let Ok(kind) = env::var("FAIL_AT_START") {
        let error = json!({ "errorType": kind, "errorMessage": "no luck" });
        runtime.post("/2018-06-01/runtime/init/error", &[], &error.to_string());
        exit(1);
    }
    println!("started");
    loop {
        let next = runtime.get("/2018-06-01/runtime/invocation/next");
        if next.status != 200 {
            exit(0);
        }
        let request_id = next.header("Lambda-Runtime-Aws-Request-Id").expect("every invocation has an id");
        let event: Value = serde_json::from_str(&next.body).expect("events are JSON");
        let path = |what: &str| format!("/2018-06-01/runtime/invocation/{request_id}/{what}");
        let posted = match script::run(&event, &next) {
            Answer::Value(value) => runtime.post(&path("response"), &[], &value.to_string()),
            Answer::Error { kind, message } => {
                let error = json!({ "errorType": kind, "errorMessage": message, "stackTrace": ["frame 1"] });
                let headers = [("Lambda-Runtime-Function-Error-Type", kind.as_str())];
                runtime.post(&path("error"), &headers, &error.to_string())
            }
        };
        assert_eq!(posted.status, 202, "{}", posted.body);
    }
}
