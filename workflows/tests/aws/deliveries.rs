//! What Lambda's answers to a callback mean, by the names of its exceptions.

use durable_runtime::protocol::ErrorObject;
use workflows::{
    aws::{LambdaExecutions, Table},
    ports::{DeliveryFailure, Executions},
};

use crate::{
    moto::clients,
    stub::{Says, Stub},
};

#[tokio::test]
async fn exceptions_are_told_apart_by_name() {
    for (status, name, expected) in [
        (400, "CallbackTimeoutException", Some(DeliveryFailure::Closed)),
        (404, "ResourceNotFoundException", Some(DeliveryFailure::Unknown)),
        (400, "InvalidParameterValueException", Some(DeliveryFailure::Unknown)),
        (403, "AccessDeniedException", None),
        (500, "ServiceException", None),
        (429, "TooManyRequestsException", None),
        (502, "KMSAccessDeniedException", None),
    ] {
        let stub = Stub::start(move |_| Says::exception(status, name)).await;
        let clients = clients(&stub.url);
        let executions = LambdaExecutions::new(&clients, Table::new(&clients, "none"), None);
        let token = || "token".to_owned();
        for answered in [
            executions.succeed(token(), "1".to_owned()).await,
            executions.fail(token(), ErrorObject::new("T", "m")).await,
            executions.heartbeat(token()).await,
        ] {
            let failure = answered.unwrap_err();
            match &expected {
                Some(expected) => assert_eq!(failure, *expected, "{name}"),
                None => assert!(matches!(failure, DeliveryFailure::Unavailable(_)), "{name}: {failure:?}"),
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_what_was_given_byte_for_byte() {
    let stub = Stub::start(|_| Says::body(200, "{}")).await;
    let clients = clients(&stub.url);
    let executions = LambdaExecutions::new(&clients, Table::new(&clients, "none"), None);
    executions.succeed("a/b".to_owned(), "{ \"a\" : 1 }".to_owned()).await.unwrap();
    executions.fail("t".to_owned(), ErrorObject::new("AgentFailure", "no")).await.unwrap();
    executions.heartbeat("t".to_owned()).await.unwrap();
    let asked = stub.asked();
    assert!(asked[0].uri.path().ends_with("/durable-execution-callbacks/a%2Fb/succeed"), "{}", asked[0].uri);
    assert_eq!(asked[0].body, b"{ \"a\" : 1 }");
    assert!(asked[1].uri.path().ends_with("/t/fail"));
    assert_eq!(asked[1].json()["ErrorType"], "AgentFailure");
    assert!(asked[2].uri.path().ends_with("/t/heartbeat"));
}
