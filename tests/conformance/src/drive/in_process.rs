//! The functions on an embedded engine, in virtual time.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use durable_engine::{Engine, HistoryPage, StartOptions};
use durable_runtime::{
    ReplayFilter,
    environment::Environment,
    protocol::{ErrorObject, InvocationInput, InvocationOutput, Payload},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use durable_testing::{VirtualClock, virtual_time};
use serde_json::Value;
use tracing_subscriber::{Layer as _, layer::SubscriberExt as _};

use super::capture::Lines;
use crate::{
    handlers::{self, Handler, Output, dying_with_its_process},
    judge::{Ended, Endpoint, LogRecord, Message, Requirement, Verdict, judge},
};

/// How often the end of an execution is looked for, in virtual time.
const POLL: Duration = Duration::from_millis(100);

/// Tries a requirement in this process, with an engine, a clock and logs of its own.
///
/// # Errors
///
/// There is no function for it, or the engine refuses something.
pub fn judge_in_process(requirement: &Requirement) -> Result<Verdict> {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone().with_filter(ReplayFilter));
    tracing::subscriber::with_default(subscriber, || {
        virtual_time(async {
            let endpoint = InProcess::new(lines.clone())?;
            judge(requirement, &endpoint).await
        })
    })
}

struct InProcess {
    engine: Engine,
    lines: Lines,
}

impl InProcess {
    fn new(lines: Lines) -> Result<Self> {
        let sink = lines.clone();
        let output = Output::new(move |line| sink.push(line));
        let mut builder = Engine::builder().clock(Arc::new(VirtualClock::new()));
        for handler in handlers::all() {
            builder = builder.workflow(host(handler, &output));
        }
        Ok(Self { engine: builder.open().context("can't open an engine in memory")?, lines })
    }
}

/// A function with its own name and settings, as if it had a process of its own.
fn host(handler: &'static Handler, output: &Output) -> SharedWorkflow {
    let configured = Configured { handler, output: output.clone(), inner: handler.workflow() };
    dying_with_its_process(handler.function_name(), Arc::new(configured))
}

struct Configured {
    handler: &'static Handler,
    output: Output,
    inner: SharedWorkflow,
}

impl Workflow for Configured {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        mut environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        environment.options = self.handler.options(&self.output);
        self.inner.invoke(input, environment)
    }
}

impl Endpoint for InProcess {
    async fn invoke(&self, function: &str, input: &Value, waits: bool) -> Result<String> {
        let input = Payload::from(input.to_string());
        let started = self.engine.start_raw(function, StartOptions::default(), input).await?;
        while waits && !self.engine.get(&started.arn).await?.status.is_terminal() {
            tokio::time::sleep(POLL).await;
        }
        Ok(started.arn)
    }

    async fn events(&self, execution_arn: &str) -> Result<Vec<Value>> {
        let history = self.engine.history(execution_arn, HistoryPage::all()).await?;
        let events = history.events.iter().map(serde_json::to_value);
        Ok(events.collect::<Result<_, _>>()?)
    }

    async fn execution(&self, execution_arn: &str) -> Result<Ended> {
        let summary = self.engine.get(execution_arn).await?;
        let status = serde_json::to_value(summary.status)?;
        Ok(Ended {
            status: status.as_str().unwrap_or_default().to_owned(),
            result: summary.result.map(|result| result.as_str().to_owned()),
        })
    }

    async fn send(&self, callback_id: &str, message: &Message) -> Result<()> {
        match message {
            Message::Success(result) => {
                let result = result.clone().map(Payload::from);
                self.engine.succeed_callback(callback_id, result).await?;
            }
            Message::Failure(error) => {
                let error: ErrorObject = serde_json::from_value(Value::Object(error.clone()))?;
                self.engine.fail_callback(callback_id, Some(error)).await?;
            }
            Message::Heartbeat => self.engine.heartbeat_callback(callback_id).await?,
        }
        Ok(())
    }

    async fn logs(&self, _: &str, _: &str) -> Result<Option<Vec<LogRecord>>> {
        // The end of an execution is known a moment before its last invocation has returned.
        tokio::time::sleep(POLL).await;
        Ok(Some(self.lines.records()))
    }
}
