//! How an invocation fails, in the words of Lambda.

use std::{process::ExitStatus, time::Duration};

use durable_engine::service::RUNTIME_EXIT_ERROR;
use durable_runtime::protocol::ErrorObject;
use serde::Deserialize;
use uuid::Uuid;

/// The process ended before it answered.
pub(super) fn exited(request_id: Uuid, status: Option<ExitStatus>) -> ErrorObject {
    let reason = match status {
        Some(status) if !status.success() => format!("Runtime exited with error: {}", describe(status)),
        _ => "Runtime exited without providing a reason".to_owned(),
    };
    ErrorObject::new(RUNTIME_EXIT_ERROR, format!("RequestId: {request_id} Error: {reason}"))
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "no exit status".to_owned(),
    }
}

/// The function took too long; its process was killed.
pub(super) fn timed_out(request_id: Uuid, limit: Duration) -> ErrorObject {
    ErrorObject::new(
        "Sandbox.Timedout",
        format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64()),
    )
}

/// The process could not be started.
pub(super) fn not_started(program: &str, problem: &std::io::Error) -> ErrorObject {
    ErrorObject::new("Runtime.InvalidEntrypoint", format!("can't run '{program}': {problem}"))
}

/// What a runtime reports as the error of its function.
pub(super) fn reported(body: &[u8], kind: Option<&str>) -> ErrorObject {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Report {
        error_message: Option<String>,
        error_type: Option<String>,
        #[serde(deserialize_with = "lines_or_nothing")]
        stack_trace: Option<Vec<String>>,
    }
    /// Runtimes disagree about what a frame looks like; the ones that are text are kept.
    fn lines_or_nothing<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Vec<String>>, D::Error> {
        let value = serde_json::Value::deserialize(value)?;
        let lines = value.as_array().into_iter().flatten().filter_map(|frame| frame.as_str().map(Into::into));
        Ok(Some(lines.collect::<Vec<String>>()).filter(|lines| !lines.is_empty()))
    }
    let report: Report = serde_json::from_slice(body).unwrap_or_default();
    ErrorObject {
        error_message: report.error_message.or_else(|| {
            let text = String::from_utf8_lossy(body).into_owned();
            (!text.is_empty()).then_some(text)
        }),
        error_type: report.error_type.or_else(|| kind.map(Into::into)).or_else(|| Some("Unhandled".into())),
        error_data: None,
        stack_trace: report.stack_trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_all_runtimes_are_read() {
        let python = br#"{"errorMessage":"boom","errorType":"ValueError","stackTrace":["  File \"a.py\""]}"#;
        let error = reported(python, None);
        assert_eq!(error.to_string(), "ValueError: boom");
        assert_eq!(error.stack_trace.unwrap().len(), 1);
        let java = br#"{"errorMessage":"boom","errorType":"E","stackTrace":[{"label":"x"}]}"#;
        assert_eq!(reported(java, None).stack_trace, None);
        assert_eq!(reported(b"", Some("Runtime.Unknown")).to_string(), "Runtime.Unknown");
        assert_eq!(reported(b"plain text", None).to_string(), "Unhandled: plain text");
    }
}
