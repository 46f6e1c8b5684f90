//! What the SDK's errors mean to us: try again, or not.

use std::error::Error;

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

use crate::ports::StoreError;

/// Codes of errors that pass, besides everything with a status of 429 or 5xx.
const TRANSIENT: [&str; 12] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// True when the same call may succeed later.
pub(super) fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            status == 429
                || status >= 500
                || context.err().code().is_some_and(|code| TRANSIENT.contains(&code))
        }
        // No answer, or half of one.
        _ => true,
    }
}

/// The error of a store, with everything that the SDK knows in the part for logs.
pub(crate) fn store_error<E>(what: &'static str, error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let is_transient = is_transient(&error);
    let detail = described(&error);
    if is_transient { StoreError::Unavailable { what, detail } } else { StoreError::Refused { what, detail } }
}

/// An error in the service's words, or with its causes when no service said anything. For logs only.
pub(super) fn described<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut text = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => with_causes(error),
    };
    if let Some(answer) = error.raw_response() {
        let request = error.request_id().unwrap_or("unknown");
        text = format!("{text} (status {}, request {request})", answer.status());
    }
    text
}

fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        config::http::HttpResponse, error::ErrorMetadata, operation::put_item::PutItemError,
    };

    use super::*;

    fn answered(status: u16, code: &str) -> SdkError<PutItemError> {
        let raw = HttpResponse::new(status.try_into().unwrap(), "".into());
        let error = PutItemError::generic(ErrorMetadata::builder().code(code).build());
        SdkError::service_error(error, raw)
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for (error, expected) in [
            (answered(400, "ProvisionedThroughputExceededException"), true),
            (answered(400, "ThrottlingException"), true),
            (answered(400, "ValidationException"), false),
            (answered(400, "AccessDeniedException"), false),
            (answered(403, "ExpiredTokenException"), true),
            (answered(500, "InternalServerError"), true),
            (answered(503, "anything"), true),
            (answered(429, "anything"), true),
            (SdkError::construction_failure("a required field is missing"), false),
            (SdkError::timeout_error("no answer"), true),
        ] {
            assert_eq!(is_transient(&error), expected, "{error:?}");
            let stored = store_error("the workflow table", error);
            assert_eq!(stored.is_transient(), expected);
            assert!(stored.public_message().starts_with("the workflow table"));
            assert!(!stored.public_message().contains("Exception"), "{}", stored.public_message());
        }
    }
}
