//! The operations of the service, as the commands need them.

use durable_runtime::protocol::{ErrorObject, Timestamp};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::transport::{ClientError, Outgoing, Transport};
use crate::logs::LogLine;

const DURABLE: &str = "2025-12-01";
const INVOKE: &str = "2015-03-31";
/// What only a `durable dev` server has.
const OWN: &str = "_durable";
/// Items in a page of ours.
const PAGE: usize = 1000;

/// An execution, as lists and `GetDurableExecution` describe it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Execution {
    #[serde(rename = "DurableExecutionArn")]
    pub(crate) arn: String,
    #[serde(rename = "DurableExecutionName")]
    pub(crate) name: String,
    pub(crate) function_arn: String,
    pub(crate) status: String,
    #[serde(deserialize_with = "seconds")]
    pub(crate) start_timestamp: Timestamp,
    #[serde(default, deserialize_with = "optional_seconds")]
    pub(crate) end_timestamp: Option<Timestamp>,
    pub(crate) input_payload: Option<String>,
    pub(crate) result: Option<String>,
    pub(crate) error: Option<ErrorObject>,
    pub(crate) pause_details: Option<PauseDetails>,
    /// As it came, for `--json`.
    #[serde(skip)]
    pub(crate) raw: Value,
}

/// What is said of a pause that is not over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PauseDetails {
    #[serde(deserialize_with = "seconds")]
    pub(crate) pause_request_timestamp: Timestamp,
    pub(crate) reason: Option<String>,
}

impl Execution {
    fn read(raw: Value) -> Result<Self, String> {
        let read = Self::deserialize(&raw).map_err(|error| error.to_string())?;
        Ok(Self { raw, ..read })
    }

    pub(crate) fn has_ended(&self) -> bool {
        !matches!(self.status.as_str(), "RUNNING" | "PAUSING" | "PAUSED")
    }

    pub(crate) fn function(&self) -> &str {
        durable_engine::service::function_of_reference(&self.function_arn)
    }
}

/// An event of a history.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Event {
    pub(crate) event_id: u64,
    pub(crate) event_type: String,
    pub(crate) sub_type: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) parent_id: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(crate) event_timestamp: Timestamp,
    #[serde(flatten)]
    rest: Map<String, Value>,
    /// As it came, for `--json`.
    #[serde(skip)]
    pub(crate) raw: Value,
}

impl Event {
    fn read(raw: Value) -> Result<Self, String> {
        let read = Self::deserialize(&raw).map_err(|error| error.to_string())?;
        Ok(Self { raw, ..read })
    }

    /// The `<EventType>Details` member.
    pub(crate) fn details(&self) -> &Value {
        self.rest.get(&format!("{}Details", self.event_type)).unwrap_or(&Value::Null)
    }

    /// The error inside of its details.
    pub(crate) fn error(&self) -> Option<ErrorObject> {
        let error = self.details().get("Error")?.get("Payload")?;
        ErrorObject::deserialize(error).ok()
    }

    /// The result inside of its details.
    pub(crate) fn result(&self) -> Option<&str> {
        self.details().get("Result")?.get("Payload")?.as_str()
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct StartRequest<'a> {
    pub(crate) function: &'a str,
    pub(crate) qualifier: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) input: String,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) statuses: &'a [String],
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) oldest_first: bool,
    pub(crate) limit: usize,
}

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryQuery {
    pub(crate) with_data: bool,
    pub(crate) newest_first: bool,
    /// Only events after this one; forward reading only.
    pub(crate) after: u64,
    pub(crate) limit: usize,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { with_data: true, newest_first: false, after: 0, limit: usize::MAX }
    }
}

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    transport: Transport,
}

impl Api {
    pub(crate) const fn new(transport: Transport) -> Self {
        Self { transport }
    }

    /// Starts an execution and gives its ARN.
    pub(crate) async fn start(&self, request: StartRequest<'_>) -> Result<String, ClientError> {
        let outgoing = Outgoing::new(Method::POST, [INVOKE, "functions", request.function, "invocations"])
            .query("Qualifier", request.qualifier)
            .header("x-amz-invocation-type", Some("Event"))
            .header("x-amz-durable-execution-name", request.name)
            .header("x-amz-tenant-id", request.tenant)
            .header("content-type", Some("application/json"))
            .body(request.input);
        let answer = self.transport.send(outgoing).await?;
        let arn = answer.header("x-amz-durable-execution-arn").map(str::to_owned);
        arn.ok_or_else(|| answer.unclear("no ARN of an execution; is the function a durable one?"))
    }

    pub(crate) async fn execution(&self, arn: &str) -> Result<Execution, ClientError> {
        let answer =
            self.transport.send(Outgoing::new(Method::GET, [DURABLE, "durable-executions", arn])).await?;
        Execution::read(answer.json()?).map_err(|problem| answer.unclear(&problem))
    }

    pub(crate) async fn list(
        &self,
        function: &str,
        query: &ListQuery<'_>,
    ) -> Result<Vec<Execution>, ClientError> {
        let path = [DURABLE, "functions", function, "durable-executions"];
        let base = || {
            let mut outgoing = Outgoing::new(Method::GET, path)
                .query_if("DurableExecutionName", query.name)
                .query_if("StartedAfter", query.since.map(|moment| moment.to_string()).as_deref())
                .query_if("StartedBefore", query.until.map(|moment| moment.to_string()).as_deref())
                .query_if("ReverseOrder", query.oldest_first.then_some("true"));
            for status in query.statuses {
                outgoing = outgoing.query("Statuses", status);
            }
            outgoing
        };
        self.pages(base, "DurableExecutions", query.limit, Execution::read).await
    }

    pub(crate) async fn history(&self, arn: &str, query: HistoryQuery) -> Result<Vec<Event>, ClientError> {
        let base = || {
            Outgoing::new(Method::GET, [DURABLE, "durable-executions", arn, "history"])
                .query("IncludeExecutionData", if query.with_data { "true" } else { "false" })
                .query("ReverseOrder", if query.newest_first { "true" } else { "false" })
        };
        let mut events = self.pages(base, "Events", query.limit, Event::read).await?;
        events.retain(|event| event.event_id > query.after);
        Ok(events)
    }

    /// Asks for page after page until there are `limit` items or no more.
    async fn pages<T>(
        &self,
        base: impl Fn() -> Outgoing,
        member: &str,
        limit: usize,
        read: impl Fn(Value) -> Result<T, String>,
    ) -> Result<Vec<T>, ClientError> {
        let mut items = Vec::new();
        let mut marker: Option<String> = None;
        while items.len() < limit {
            let size = (limit - items.len()).min(PAGE).to_string();
            let outgoing = base().query("MaxItems", &size).query_if("Marker", marker.as_deref());
            let answer = self.transport.send(outgoing).await?;
            let mut page: Map<String, Value> = answer.json()?;
            let Some(Value::Array(new)) = page.remove(member) else {
                return Err(answer.unclear(&format!("there is no list `{member}` in it")));
            };
            for item in new {
                items.push(read(item).map_err(|problem| answer.unclear(&problem))?);
            }
            marker =
                page.get("NextMarker").and_then(Value::as_str).filter(|it| !it.is_empty()).map(Into::into);
            if marker.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Stops an execution and says when it ended.
    pub(crate) async fn stop(&self, arn: &str, error: &ErrorObject) -> Result<Timestamp, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Stopped {
            #[serde(deserialize_with = "seconds")]
            stop_timestamp: Timestamp,
        }
        let outgoing = Outgoing::new(Method::POST, [DURABLE, "durable-executions", arn, "stop"])
            .header("content-type", Some("application/json"))
            .body(json_text(error));
        Ok(self.transport.send(outgoing).await?.json::<Stopped>()?.stop_timestamp)
    }

    /// Pauses an execution.
    pub(crate) async fn pause(
        &self,
        arn: &str,
        reason: Option<&str>,
        time_limit_goes_on: bool,
    ) -> Result<(), ClientError> {
        let body = json!({
            "ClientToken": Uuid::new_v4(),
            "Reason": reason,
            "ExecutionTimeoutPaused": !time_limit_goes_on,
        });
        self.control(arn, "pause", body).await
    }

    /// Lets a paused execution go on.
    pub(crate) async fn resume(&self, arn: &str, reason: Option<&str>) -> Result<(), ClientError> {
        self.control(arn, "resume", json!({ "ClientToken": Uuid::new_v4(), "Reason": reason })).await
    }

    async fn control(&self, arn: &str, what: &str, mut body: Value) -> Result<(), ClientError> {
        if let Value::Object(members) = &mut body {
            members.retain(|_, member| !member.is_null());
        }
        let outgoing = Outgoing::new(Method::POST, [DURABLE, "durable-executions", arn, what])
            .header("content-type", Some("application/json"))
            .body(body.to_string());
        self.transport.send(outgoing).await.map(drop)
    }

    /// Removes an execution that has ended, and says when that was accepted.
    pub(crate) async fn delete(&self, arn: &str) -> Result<Timestamp, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Accepted {
            #[serde(deserialize_with = "seconds")]
            deletion_request_timestamp: Timestamp,
        }
        let outgoing = Outgoing::new(Method::DELETE, [DURABLE, "durable-executions", arn]);
        Ok(self.transport.send(outgoing).await?.json::<Accepted>()?.deletion_request_timestamp)
    }

    pub(crate) async fn callback_succeed(&self, id: &str, result: Vec<u8>) -> Result<(), ClientError> {
        let outgoing = Outgoing::new(Method::POST, [DURABLE, "durable-execution-callbacks", id, "succeed"])
            .header("content-type", Some("application/octet-stream"))
            .body(result);
        self.transport.send(outgoing).await.map(drop)
    }

    pub(crate) async fn callback_fail(&self, id: &str, error: &ErrorObject) -> Result<(), ClientError> {
        let outgoing = Outgoing::new(Method::POST, [DURABLE, "durable-execution-callbacks", id, "fail"])
            .header("content-type", Some("application/json"))
            .body(json_text(error));
        self.transport.send(outgoing).await.map(drop)
    }

    pub(crate) async fn callback_heartbeat(&self, id: &str) -> Result<(), ClientError> {
        let path = [DURABLE, "durable-execution-callbacks", id, "heartbeat"];
        self.transport.send(Outgoing::new(Method::POST, path)).await.map(drop)
    }

    /// The names of a `durable dev` server's functions.
    pub(crate) async fn functions(&self) -> Result<Vec<String>, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Functions {
            functions: Vec<Function>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Function {
            function_name: String,
        }
        if self.transport.is_aws() {
            return Err(ClientError::Usage("on AWS name a function: `durable list FUNCTION`".to_owned()));
        }
        let answer = self.transport.send(Outgoing::new(Method::GET, [OWN, "functions"])).await?;
        Ok(answer.json::<Functions>()?.functions.into_iter().map(|function| function.function_name).collect())
    }

    /// Lines of an execution's log from the `first`-th on.
    pub(crate) async fn logs(&self, arn: &str, first: usize) -> Result<Vec<LogLine>, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            lines: Vec<LogLine>,
            has_more: bool,
        }
        if self.transport.is_aws() {
            let function = durable_engine::service::function_of_reference(arn);
            return Err(ClientError::Usage(format!(
                "on AWS the logs are in CloudWatch: `aws logs tail /aws/lambda/{function}`"
            )));
        }
        let mut lines = Vec::new();
        loop {
            let outgoing = Outgoing::new(Method::GET, [OWN, "durable-executions", arn, "logs"])
                .query("Marker", &(first + lines.len()).to_string())
                .query("MaxItems", &PAGE.to_string());
            let page: Page = self.transport.send(outgoing).await?.json()?;
            lines.extend(page.lines);
            if !page.has_more {
                return Ok(lines);
            }
        }
    }

    /// The execution that a person means: an ARN, or `function/name`.
    pub(crate) async fn resolve(&self, reference: &str) -> Result<String, ClientError> {
        if reference.starts_with("arn:") {
            return Ok(reference.to_owned());
        }
        let Some((function, name)) = reference.split_once('/') else {
            return Err(ClientError::Usage(format!(
                "'{reference}' names no execution; give its ARN, or its function and name as FUNCTION/NAME"
            )));
        };
        let query = ListQuery { name: Some(name), limit: 1, ..ListQuery::default() };
        let found = self.list(function, &query).await?;
        let arn = found.into_iter().next().map(|execution| execution.arn);
        arn.ok_or_else(|| {
            ClientError::Usage(format!("function '{function}' has no execution named '{name}'"))
        })
    }
}

fn json_text(error: &ErrorObject) -> String {
    serde_json::to_string(error).expect("an error object is made of text")
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    // Saturates by definition of the cast.
    f64::deserialize(deserializer).map(|seconds| Timestamp::from_millis((seconds * 1000.0).round() as i64))
}

fn optional_seconds<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    seconds(deserializer).map(Some)
}
