//! What only a gateway can get wrong.

use serde_json::{Value, json};
use workflows::callback::Authentication;

use super::world::{Face, Script, World, gateway_event};

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_refused() {
    for face in [Face::RestApi, Face::HttpApi] {
        let world = World::new(face, Authentication::default()).await;
        let mut event = gateway_event(face, &[], b"{}");
        let method = if face == Face::RestApi { "/httpMethod" } else { "/requestContext/http/method" };
        *event.pointer_mut(method).unwrap() = json!("GET");
        let answer = world.invoke(&event).await;
        assert_eq!(answer["statusCode"], 405, "{answer}");
        assert_eq!(world.stored(), 0);
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_the_id_that_the_gateway_gave_it() {
    let world = World::new(Face::HttpApi, Authentication::default()).await;
    world.script("t", Script::Open);
    let body = json!({ "token": "t", "status": "SUCCESS", "result": 1 }).to_string();
    let mut event = gateway_event(Face::HttpApi, &[], body.as_bytes());
    *event.pointer_mut("/requestContext/requestId").unwrap() = json!("request-7");
    world.invoke(&event).await;
    let id: String =
        world.database().query_row("SELECT request_id FROM callback_history", [], |row| row.get(0)).unwrap();
    assert_eq!(id, "request-7");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_no_request_says_what_was_expected() {
    use durable_engine::StartOptions;
    let world = World::new(Face::HttpApi, Authentication::default()).await;
    for event in [json!({ "order": 1 }), json!("text"), Value::Null] {
        let name = StartOptions::named(format!("e{}", event.to_string().len()));
        let input = durable_runtime::protocol::Payload::from(event.to_string());
        let started = world.engine.start_raw("callback_function", name, input).await.unwrap();
        let ended = world.engine.wait_for_end(&started.arn).await.unwrap();
        let error = ended.error.unwrap();
        assert_eq!(error.kind(), Some("InvalidInput"), "{error:?}");
    }
    assert_eq!(world.stored(), 0);
    world.shutdown().await;
}
