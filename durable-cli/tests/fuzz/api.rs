//! Calls that are as they should be.

use std::net::SocketAddr;

use serde_json::Value;

use crate::wire::{Outcome, Reply, exchange};

/// A good client of the server.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
}

/// A path segment, encoded as AWS clients do.
pub(crate) fn encode(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(crate) fn execution_path(arn: &str, rest: &str) -> String {
    format!("/2025-12-01/durable-executions/{}{rest}", encode(arn))
}

impl Api {
    pub(crate) fn get(self, path: &str) -> Value {
        let reply = self.send("GET", path, &[], b"");
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json().expect("answers are JSON")
    }

    pub(crate) fn send(self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
        match exchange(self.address, &[request.as_bytes(), body].concat()) {
            Outcome::Replied(reply) => reply,
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    pub(crate) fn invoke(self, function: &str, headers: &[(&str, &str)], payload: &Value) -> Reply {
        let path = format!("/2015-03-31/functions/{function}/invocations?Qualifier=%24LATEST");
        self.send("POST", &path, headers, payload.to_string().as_bytes())
    }

    /// Starts an execution and gives its ARN.
    pub(crate) fn start(self, function: &str, name: &str, payload: &Value) -> String {
        let headers = [("X-Amz-Invocation-Type", "Event"), ("X-Amz-Durable-Execution-Name", name)];
        let reply = self.invoke(function, &headers, payload);
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.header("x-amz-durable-execution-arn").expect("an ARN").to_owned()
    }

    /// Everything there is to know about an execution.
    pub(crate) fn description(self, arn: &str) -> (Value, Value) {
        (self.get(&execution_path(arn, "")), self.get(&execution_path(arn, "/history?MaxItems=1000")))
    }
}
