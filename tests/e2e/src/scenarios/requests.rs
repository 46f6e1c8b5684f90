//! Requests that are wrong.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use super::Options;
use crate::{api::Api, stack::World};

/// Each names the field that is wrong; what is too large is refused before anything reads it.
pub(super) async fn bad_callbacks(world: &World, _: Options) -> Result<()> {
    let url = &world.patient.callback_url;
    let long = format!(r#"{{"token": "{}", "status": "HEARTBEAT"}}"#, "t".repeat(1025));
    for (body, field) in [
        ("", "body"),
        ("{", "body"),
        ("[]", "body"),
        ("{}", "token"),
        (r#"{"token": ""}"#, "token"),
        (long.as_str(), "token"),
        (r#"{"token": "t", "status": "DONE"}"#, "status"),
        (r#"{"token": "t", "status": "SUCCESS"}"#, "result"),
        (r#"{"token": "t", "status": "FAILURE", "error": {"type": 1}}"#, "error"),
    ] {
        let answer = world.callbacks.send_bytes(url, body.into()).await?.expect(400)?;
        let error = answer.text("error");
        ensure!(error.starts_with(&format!("{field}:")), "`{body}` is answered with `{error}`");
    }
    world.callbacks.send_bytes(url, b"\xff\xfe".into()).await?.expect(400)?;
    for megabytes in [7, 11] {
        let body =
            format!(r#"{{"token": "t", "status": "SUCCESS", "result": "{}"}}"#, "x".repeat(megabytes << 20));
        let answer = world.callbacks.send_bytes(url, body.into()).await;
        // Above its own limit the gateway answers before it has read everything.
        let answer = answer.with_context(|| format!("{megabytes} MB"))?;
        answer.expect(413)?;
    }
    Ok(())
}

pub(super) async fn bad_calls_of_the_api(world: &World, _: Options) -> Result<()> {
    for stack in [&world.patient, &world.guarded] {
        bad_calls(&stack.api).await?;
    }
    Ok(())
}

async fn bad_calls(api: &Api) -> Result<()> {
    for (body, field) in [
        (json!({}), "topic"),
        (json!({ "topic": " " }), "topic"),
        (json!({ "topic": "t", "depth": "basic" }), "depth"),
        (json!({ "topic": "t", "parameters": { "word_limit": 99 } }), "parameters.word_limit"),
    ] {
        let answer = api.call(Method::POST, "/workflows", Some(body.clone())).await?.expect(400)?;
        let error = answer.text("error");
        ensure!(error.contains(field), "{body} is answered with `{error}`");
    }
    let unknown = uuid::Uuid::new_v4();
    api.get(&format!("/workflows/{unknown}")).await?.expect(404)?;
    api.call(Method::DELETE, &format!("/workflows/{unknown}"), None).await?.expect(404)?;
    let decision = json!({ "approved": true });
    api.call(Method::POST, &format!("/workflows/{unknown}/approval"), Some(decision)).await?.expect(404)?;
    api.get("/workflows?status=NONSENSE").await?.expect(400)?;
    api.get("/workflows?limit=0").await?.expect(400)?;
    Ok(())
}
