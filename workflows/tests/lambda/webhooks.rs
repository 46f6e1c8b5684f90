//! Registered receivers: told once, signed, tried again, and nobody waits for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable_engine::ListFilter;
use serde_json::{Value, json};
use workflows::{
    callback::{Authentication, WebhookOptions, WebhookSender, sign, webhook_notification},
    local::EngineWebhooks,
    ports::{BoxFuture, HttpPost},
};

use super::world::{Face, Script, World};

const SECRET: &str = "0123456789abcdef";
const FLAKY: &str = "https://flaky.example/hook";
const SLOW: &str = "https://slow.example/hook";

type Post = (String, HashMap<&'static str, String>, String);

/// One receiver refuses the first time, the other one never answers.
#[derive(Default)]
struct Receivers(Mutex<Vec<Post>>);

impl Receivers {
    fn of(&self, url: &str) -> Vec<Post> {
        self.0.lock().unwrap().iter().filter(|post| post.0 == url).cloned().collect()
    }
}

impl HttpPost for Receivers {
    fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            self.0.lock().unwrap().push((url.clone(), headers.into_iter().collect(), body));
            if url == SLOW {
                std::future::pending::<()>().await;
            }
            Ok(if self.of(&url).len() == 1 { 503 } else { 204 })
        })
    }
}

fn options(urls: &[&str]) -> WebhookOptions {
    WebhookOptions { urls: urls.iter().map(|url| (*url).to_owned()).collect(), secret: SECRET.to_owned() }
}

async fn world(receivers: &Arc<Receivers>, registered: &[&str], called: &[&str]) -> World {
    let sender = WebhookSender::new(options(called), Arc::clone(receivers) as _);
    let registered = options(registered);
    World::with_webhooks(Face::HttpApi, Authentication::default(), move |mut ports, engine| {
        let workflow_sender = sender.clone();
        engine.register_workflow(durable_runtime::workflow(move |job| {
            webhook_notification(workflow_sender.clone(), job)
        }));
        ports.webhooks = Some(Arc::new(EngineWebhooks::new(engine.clone(), registered)));
        (ports, Some(sender))
    })
    .await
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_until_it_listens_and_nobody_waits() {
    let receivers = Arc::new(Receivers::default());
    let world = world(&receivers, &[FLAKY, SLOW], &[FLAKY, SLOW]).await;
    world.script("t", Script::Open);
    let body = json!({ "token": "t", "status": "SUCCESS", "result": { "secret": "finding" } });
    let begun = std::time::Instant::now();
    let (status, answer) = world.callback(&body).await;
    assert_eq!((status, &answer["status"]), (200, &json!("callback_delivered")));
    assert!(begun.elapsed() < Duration::from_secs(10), "the sender waits for no receiver");
    world.callback(&body).await;
    world.callback(&json!({ "token": "t", "status": "HEARTBEAT" })).await;

    until("told again", || receivers.of(FLAKY).len() == 2).await;
    let posts = receivers.of(FLAKY);
    let (_, headers, sent) = &posts[1];
    assert_eq!(
        headers["x-webhook-signature"],
        sign(SECRET, &headers["x-webhook-timestamp"], sent.as_bytes())
    );
    assert_eq!(posts[0].1["x-webhook-id"], headers["x-webhook-id"], "a repetition can be told");
    let notice: Value = serde_json::from_str(sent).unwrap();
    assert_eq!((&notice["event"], &notice["status"]), (&json!("callback_delivered"), &json!("SUCCESS")));
    assert_eq!(notice["id"].as_str(), Some(headers["x-webhook-id"].as_str()));
    assert!(notice["received_at"].as_str().unwrap().ends_with('Z'));
    assert!(!sent.contains("finding") && !sent.contains("\"t\""), "{sent}");

    // A repeated callback is no news.
    let executions = world.engine.list(ListFilter::default()).await.unwrap().executions;
    let told = executions.iter().filter(|it| it.function == "webhook_notification").count();
    assert_eq!(told, 2, "one for each receiver");
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_registered_any_more_is_not_called() {
    let receivers = Arc::new(Receivers::default());
    let world = world(&receivers, &[FLAKY], &[]).await;
    let body = json!({ "token": "stranger", "status": "FAILURE", "error": "no" });
    assert_eq!(world.callback(&body).await.0, 200);
    let executions = world.engine.list(ListFilter::default()).await.unwrap().executions;
    let notice = executions.iter().find(|it| it.function == "webhook_notification").unwrap();
    let ended = world.engine.wait_for_end(&notice.arn).await.unwrap();
    assert_eq!(ended.result.unwrap().as_str(), r#""gone""#);
    assert!(receivers.0.lock().unwrap().is_empty());
    world.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callback_function_tells_a_receiver_when_it_is_handed_a_notice() {
    let receivers = Arc::new(Receivers::default());
    let world = world(&receivers, &[FLAKY], &[FLAKY]).await;
    let notice = json!({ "id": "r", "event": "callback_delivered", "status": "SUCCESS", "token": "sha256:0", "received_at": 0 });
    let answer = world.invoke(&json!({ "webhook": { "notice": notice, "url": FLAKY } })).await;
    assert_eq!(answer["body"], r#"{"webhook":"told"}"#);
    assert_eq!(receivers.of(FLAKY).len(), 2);
    world.shutdown().await;
}
