//! Functions that are not in this process, as workflows of the engine.
//!
//! | file | job |
//! | --- | --- |
//! | `function` | one function: a workflow to the engine, a call to Invoke |
//! | `envelope` | what functions answer, read strictly |
//! | `failure` | how invocations fail, in the service's words |
//! | `pool` | a function's processes: cold, warm, busy |
//! | `instance` | one process |
//! | `group` | process groups that end with the server |
//! | `runtime_api` | the Lambda Runtime API that one process speaks |
//! | `output` | what one process writes, by invocation |
//! | `variables` | the environment that Lambda gives a process |
//! | `remote` | HTTP endpoints that speak Invoke |
//! | `watch` | rebuild and restart |

mod envelope;
mod failure;
mod function;
mod group;
mod instance;
mod output;
mod pool;
mod remote;
mod runtime_api;
mod variables;
mod watch;

use std::{collections::BTreeMap, time::Duration};

use axum::body::Bytes;
use durable_runtime::workflow::SharedWorkflow;
use uuid::Uuid;

pub(crate) use function::{HostedFunction, PlainCall, Surroundings};

/// One invocation, however it is hosted.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) request_id: Uuid,
    pub(crate) payload: Bytes,
    /// The execution whose log gets what is written meanwhile.
    pub(crate) execution: Option<String>,
    /// JSON on one line.
    pub(crate) client_context: Option<String>,
    pub(crate) tenant: Option<String>,
    /// The X-Ray header.
    pub(crate) trace_header: String,
}

/// A function of the server's table.
pub(crate) enum Function {
    /// A workflow of this process.
    InProcess,
    Hosted(HostedFunction),
}

impl Function {
    pub(crate) fn is_durable(&self) -> bool {
        match self {
            Self::InProcess => true,
            Self::Hosted(function) => function.is_durable(),
        }
    }

    pub(crate) fn execution_timeout(&self) -> Option<Duration> {
        match self {
            Self::InProcess => None,
            Self::Hosted(function) => function.execution_timeout(),
        }
    }

    /// Where it runs, for people.
    pub(crate) fn host(&self) -> String {
        match self {
            Self::InProcess => "in process".to_owned(),
            Self::Hosted(function) => function.host(),
        }
    }
}

/// The server's functions by name.
#[derive(Default)]
pub(crate) struct FunctionTable(BTreeMap<String, Function>);

impl FunctionTable {
    pub(crate) fn insert(&mut self, name: String, function: Function) {
        self.0.insert(name, function);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Function> {
        self.0.get(name)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Function)> {
        self.0.iter().map(|(name, function)| (name.as_str(), function))
    }

    /// The hosted functions as the engine runs them.
    pub(crate) fn workflows(&self) -> Vec<SharedWorkflow> {
        self.0
            .values()
            .filter_map(|function| match function {
                Function::InProcess => None,
                Function::Hosted(function) => Some(function.workflow()),
            })
            .collect()
    }

    /// Ends all processes.
    pub(crate) async fn stop(&self) {
        for function in self.0.values() {
            if let Function::Hosted(function) = function {
                function.stop().await;
            }
        }
    }
}
