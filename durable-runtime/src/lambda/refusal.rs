//! What a failed call means: end this invocation, or fail the execution.

use aws_sdk_lambda::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
};

use crate::service::ServiceError;

const STALE_TOKEN_CODE: &str = "InvalidParameterValueException";
/// The service says a stale token in words only. AWS's SDKs match them, case included, but not all the same case:
/// the one for Python was changed from these to all but the first letter in lower case.
const STALE_TOKEN_WORDS: &str = "Invalid Checkpoint Token";

/// Answers with a status of 5xx that would be repeated for ever: the key of the customer is out of reach.
const KEY_PROBLEMS: [&str; 4] =
    ["KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"];

/// Classifies a call that failed after the SDK's own retries.
pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> ServiceError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().map_or_else(|| format!("HTTP {status}"), str::to_owned);
            let message = answer.err().message().unwrap_or("no message");
            of_answer(status, code, message)
        }
        // No answer, or none that can be read: nothing is known about the request, and the next invocation starts
        // from what the service then has.
        SdkError::ConstructionFailure(_) => unanswered("RequestNotBuilt", error),
        SdkError::TimeoutError(_) => unanswered("RequestTimedOut", error),
        SdkError::DispatchFailure(_) => unanswered("ServiceUnreachable", error),
        _ => unanswered("UnreadableAnswer", error),
    }
}

fn of_answer(status: u16, code: String, message: &str) -> ServiceError {
    let words = message.get(..STALE_TOKEN_WORDS.len());
    let stale =
        code == STALE_TOKEN_CODE && words.is_some_and(|it| it.eq_ignore_ascii_case(STALE_TOKEN_WORDS));
    let throttled = status == 429;
    let refused = (400..500).contains(&status) && !throttled && !stale;
    if refused || KEY_PROBLEMS.contains(&code.as_str()) {
        ServiceError::permanent(code, message)
    } else {
        ServiceError::transient(code, message)
    }
}

fn unanswered<E: std::error::Error + 'static>(code: &str, error: &SdkError<E, HttpResponse>) -> ServiceError {
    ServiceError::transient(code, DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::of_answer;
    use crate::service::Verdict::{self, EndInvocation, FailExecution};

    fn verdict(status: u16, code: &str, message: &str) -> Verdict {
        of_answer(status, code.to_owned(), message).verdict
    }

    #[test]
    fn a_stale_token_ends_the_invocation_only_in_the_services_own_words() {
        let code = "InvalidParameterValueException";
        assert_eq!(verdict(400, code, "Invalid Checkpoint Token: superseded"), EndInvocation);
        assert_eq!(verdict(400, code, "Invalid checkpoint token"), EndInvocation);
        assert_eq!(verdict(400, code, "Invalid"), FailExecution);
        assert_eq!(verdict(400, code, "An Invalid Checkpoint Token"), FailExecution);
        assert_eq!(verdict(400, "HTTP 400", "Invalid Checkpoint Token"), FailExecution);
    }

    #[test]
    fn what_may_pass_ends_the_invocation() {
        assert_eq!(verdict(429, "TooManyRequestsException", "Rate exceeded"), EndInvocation);
        assert_eq!(verdict(429, "SomethingNewException", "slow down"), EndInvocation);
        assert_eq!(verdict(500, "ServiceException", "internal"), EndInvocation);
        assert_eq!(verdict(502, "HTTP 502", "no message"), EndInvocation);
        assert_eq!(verdict(503, "ServiceUnavailableException", "later"), EndInvocation);
    }

    #[test]
    fn what_would_be_refused_for_ever_fails_the_execution() {
        assert_eq!(
            verdict(400, "InvalidParameterValueException", "Invalid parent operation id."),
            FailExecution
        );
        assert_eq!(verdict(404, "ResourceNotFoundException", "gone"), FailExecution);
        assert_eq!(verdict(413, "RequestTooLargeException", "too large"), FailExecution);
        assert_eq!(verdict(418, "SomethingNewException", "never"), FailExecution);
        for code in super::KEY_PROBLEMS {
            assert_eq!(verdict(502, code, "the key is disabled"), FailExecution, "{code}");
        }
    }

    #[test]
    fn the_services_words_are_kept() {
        let error = of_answer(400, "InvalidParameterValueException".into(), "Invalid parent operation id.");
        assert_eq!(error.to_string(), "InvalidParameterValueException: Invalid parent operation id.");
    }
}
