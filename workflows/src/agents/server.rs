//! The A2A face of an agent: one route, `tasks/send`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Url;

use super::worker::Worker;
use crate::a2a::{RequestError, Response, Task, decode_send, error_codes};

/// Phase inputs travel inline up to 200 KB each, JSON in JSON; this leaves them room.
const LARGEST_REQUEST: usize = 16 * 1024 * 1024;
/// The rule of the callback endpoint, checked before any work is done for a token it would refuse.
const LONGEST_TOKEN: usize = 1024;

/// The routes of one agent.
pub(super) fn router(worker: Arc<Worker>) -> Router {
    Router::new().route("/", post(send)).layer(DefaultBodyLimit::max(LARGEST_REQUEST)).with_state(worker)
}

async fn send(State(worker): State<Arc<Worker>>, headers: HeaderMap, body: Bytes) -> HttpResponse {
    // A web page in a browser of this machine can post any text here, but no JSON without being asked first.
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.split(';').next().is_some_and(|it| it.trim() == "application/json"));
    if !is_json {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send `content-type: application/json`").into_response();
    }

    let (id, task) = match decode_send(&body) {
        Ok(decoded) => decoded,
        Err(error) => return Json(RequestError::into_response(error)).into_response(),
    };
    if let Err(message) = check(&worker, &task) {
        return Json(Response::failed(id, error_codes::INVALID_PARAMS, message)).into_response();
    }
    let task_id = task.id();
    match worker.accept(task).await {
        Ok(()) => Json(Response::submitted(id, &task_id)).into_response(),
        Err(error) => {
            // 503, so that the dispatch is retried: a full disk or a shutdown passes.
            tracing::error!(task = %task_id, %error, "a task could not be stored");
            let message = "the task could not be stored; send it again later";
            let answer = Response::failed(id, error_codes::INTERNAL_ERROR, message);
            (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response()
        }
    }
}

/// What can be known before the work begins.
fn check(worker: &Worker, task: &Task) -> Result<(), String> {
    if task.task != worker.kind() {
        return Err(format!(
            "the {} does not take `{}` tasks; it takes `{}`",
            worker.role,
            task.task,
            worker.kind()
        ));
    }
    if task.topic.trim().is_empty() {
        return Err("`topic` is empty".to_owned());
    }
    if task.callback_token.is_empty() || task.callback_token.chars().count() > LONGEST_TOKEN {
        return Err(format!("`callback_token` must have 1 to {LONGEST_TOKEN} characters"));
    }
    match Url::parse(&task.callback_url) {
        Ok(url) if url.scheme() == "http" => Ok(()),
        Ok(url) => Err(format!("`callback_url` has the scheme `{}`; give an `http://` URL", url.scheme())),
        Err(error) => Err(format!("`callback_url` is no URL: {error}")),
    }
}
