//! What a durable function answers to its envelope, read as strictly as the service reads it.

use durable_runtime::protocol::{ErrorObject, InvocationOutput, Payload};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Output {
    status: String,
    result: Option<Payload>,
    error: Option<ErrorObject>,
}

/// Reads an answer.
///
/// # Errors
///
/// It is none: such an invocation has failed, and is tried again.
pub(super) fn read_output(answer: &[u8]) -> Result<InvocationOutput, ErrorObject> {
    let invalid = |problem: &str| {
        Err(ErrorObject::new(
            "InvalidInvocationOutput",
            format!("The function's answer is not that of a durable function: {problem}."),
        ))
    };
    let output: Output = match serde_json::from_slice(answer) {
        Ok(output) => output,
        Err(error) => return invalid(&error.to_string()),
    };
    match (output.status.as_str(), output.result, output.error) {
        ("SUCCEEDED", result, None) => Ok(InvocationOutput::Succeeded { result }),
        ("SUCCEEDED", _, Some(_)) => invalid("SUCCEEDED must not carry an Error"),
        ("FAILED", None, error) => Ok(InvocationOutput::Failed { error }),
        ("FAILED", Some(_), _) => invalid("FAILED must not carry a Result"),
        ("PENDING", None, None) => Ok(InvocationOutput::Pending),
        ("PENDING", ..) => invalid("PENDING must carry neither Result nor Error"),
        (other, ..) => invalid(&format!("Status is SUCCEEDED, FAILED or PENDING, not '{other}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_answers_are_read() {
        let read = |text: &str| read_output(text.as_bytes()).unwrap();
        assert_eq!(
            read(r#"{"Status":"SUCCEEDED","Result":"1"}"#),
            InvocationOutput::Succeeded { result: Some("1".into()) }
        );
        assert_eq!(read(r#"{"Status":"SUCCEEDED"}"#), InvocationOutput::Succeeded { result: None });
        assert_eq!(
            read(r#"{"Status":"FAILED","Error":{"ErrorType":"E"}}"#),
            InvocationOutput::Failed {
                error: Some(ErrorObject { error_type: Some("E".into()), ..ErrorObject::default() })
            }
        );
        assert_eq!(read(r#"{"Status":"PENDING"}"#), InvocationOutput::Pending);
    }

    #[test]
    fn other_answers_are_failed_invocations() {
        for text in [
            "",
            "null",
            "\"done\"",
            "{}",
            r#"{"Status":"RUNNING"}"#,
            r#"{"Status":"FAILED","Result":"1"}"#,
            r#"{"Status":"SUCCEEDED","Error":{}}"#,
            r#"{"Status":"PENDING","Result":"1"}"#,
        ] {
            let error = read_output(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Some("InvalidInvocationOutput"), "{text}");
        }
    }
}
