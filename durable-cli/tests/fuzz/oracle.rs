//! What may be answered to whatever was sent.

use serde_json::Value;

use crate::wire::{Outcome, Reply};

/// Checks an answer of the REST API: something of the service's, or a refusal in the service's shape.
pub(crate) fn check(outcome: &Outcome, to_head: bool) -> Result<(), String> {
    match outcome {
        Outcome::Closed => Ok(()),
        Outcome::Stuck => Err("neither an answer nor an end of the connection".to_owned()),
        Outcome::Replied(reply) => {
            check_reply(reply, to_head).map_err(|problem| format!("{problem}: {}", shown(reply)))
        }
    }
}

fn check_reply(reply: &Reply, to_head: bool) -> Result<(), String> {
    if is_of_http(reply) {
        return Ok(());
    }
    if reply.header("x-amzn-requestid").is_none() {
        return Err("no request id".to_owned());
    }
    let exception = reply.header("x-amzn-errortype");
    match (reply.status, exception) {
        (200 | 202 | 204, None) => check_success(reply, to_head),
        (400..500, Some(exception)) if exception.ends_with("Exception") => {
            if to_head {
                Ok(())
            } else {
                check_refusal(reply)
            }
        }
        _ => Err("neither a success nor a refusal".to_owned()),
    }
}

/// What is not even HTTP is refused by the HTTP library, which closes the connection then.
fn is_of_http(reply: &Reply) -> bool {
    matches!(reply.status, 400 | 414 | 431)
        && reply.body.is_empty()
        && reply.header("x-amzn-requestid").is_none()
        && reply.header("connection") == Some("close")
}

fn check_success(reply: &Reply, to_head: bool) -> Result<(), String> {
    let is_json = reply.header("content-type") == Some("application/json");
    if is_json && !to_head && !reply.body.is_empty() && reply.json().is_none() {
        return Err("the body is no JSON".to_owned());
    }
    Ok(())
}

fn check_refusal(reply: &Reply) -> Result<(), String> {
    let body = reply.json().ok_or("the body is no JSON")?;
    let message = body.get("message").or_else(|| body.get("Message")).and_then(Value::as_str);
    match (body["Type"].as_str(), message) {
        (Some("User"), Some(message)) if !message.is_empty() => Ok(()),
        _ => Err("the body has no Type or no message".to_owned()),
    }
}

/// Checks an answer of a Runtime API: an invocation, an acknowledgement or a refusal in Lambda's shape.
pub(crate) fn check_runtime(outcome: &Outcome, to_head: bool) -> Result<(), String> {
    let Outcome::Replied(reply) = outcome else {
        return match outcome {
            Outcome::Stuck => Err("neither an answer nor an end of the connection".to_owned()),
            _ => Ok(()),
        };
    };
    let refused = |reply: &Reply| {
        let body = reply.json()?;
        body["errorType"].as_str()?;
        body["errorMessage"].as_str().map(|_| ())
    };
    let well_formed = match reply.status {
        _ if is_of_http(reply) => true,
        200 | 202 => to_head || reply.json().is_some(),
        400..500 => to_head || refused(reply).is_some(),
        _ => false,
    };
    if well_formed { Ok(()) } else { Err(format!("not of the Runtime API: {}", shown(reply))) }
}

fn shown(reply: &Reply) -> String {
    let text: String = String::from_utf8_lossy(&reply.body).chars().take(300).collect();
    format!("{} {:?} {text}", reply.status, reply.headers)
}
