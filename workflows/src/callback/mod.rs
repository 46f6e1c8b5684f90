//! The callback handler: what an agent sends becomes the result of the callback that its workflow waits for.
//!
//! [`callback_handler`] is the whole of it: store, deliver, update the workflow's record, append to the
//! history, and begin to tell the registered webhooks. A request that breaks the table of fields never becomes a
//! [`Message`], so nothing is stored for it: [`admit`] is the only way to one.

mod admission;
mod answer;
mod auth;
mod deliver;
mod digest;
mod fault;
mod figures;
mod redrive;
mod set_aside;
mod store;
mod validate;
mod webhook;

use durable_runtime::{prelude::*, protocol::Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use admission::too_large;
pub use admission::{Arrival, MAX_CALLBACK_BYTES, admit};
pub use answer::{Answer, Kind};
pub use auth::{
    API_KEY_HEADER, AuthError, Authentication, Headers, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign,
};
pub use digest::{hex, redacted, sha256};
pub use fault::CallbackFault;
pub use figures::measured;
pub use redrive::{Redriven, redrive};
pub(crate) use set_aside::{keep, set_aside};
pub use store::{RETENTION, large_result, stored_as_artifact};
pub use validate::{InvalidCallback, MAX_ERROR_BYTES, MAX_TOKEN_CHARS, Message, Signal};
pub use webhook::{
    WEBHOOK_ID_HEADER, WEBHOOK_NOTIFICATION, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER,
    WebhookFault, WebhookJob, WebhookOptions, WebhookOutcome, WebhookSender, webhook_notification,
};

use crate::ports::{Delivery, Outcome, Ports, Stored};
use deliver::{
    announce, append_history, dead_letter, deliver, heartbeat, mark_delivery, update_workflow_record,
};
use store::store_result;

/// The name by which hosts register and start [`callback_handler`].
pub const CALLBACK_HANDLER: &str = "callback_handler";

/// One valid callback: what an execution of the handler is started with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Request {
    /// Identifies the request in logs, history and dead letters.
    pub request_id: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it says; results above the inline limit are references by now.
    pub message: Message,
    /// Identifies the outcome as it was sent.
    pub digest: String,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = redacted(&self.message.token);
        f.debug_struct("Request")
            .field("request_id", &self.request_id)
            .field("token", &token)
            .finish_non_exhaustive()
    }
}

/// Store, deliver, update, append, tell who wants to know.
#[durable_execution(name = "callback_handler")]
pub async fn callback_handler(ports: Ports, request: Request) -> Result<Kind, CallbackFault> {
    let kind = match request.message.signal.clone() {
        Signal::Heartbeat => heartbeat(&ports, &request).await?,
        Signal::Outcome(outcome) => {
            let stored = store_result(&ports, &request, outcome.clone()).await;
            if let Err(fault) = &stored {
                // Whether or not it can be kept, its sender is told that it was not stored.
                let _ = set_aside(&ports, &request, fault).await;
            }
            match stored? {
                Stored::Contradicts => Kind::Contradicted,
                Stored::Repeated(Delivery::Delivered) => Kind::AlreadyDelivered,
                Stored::Repeated(Delivery::Expired) => Kind::Expired,
                // Stored by a request that was cut off, or that found nobody: this one carries on.
                Stored::New
                | Stored::Repeated(Delivery::Pending | Delivery::Unknown | Delivery::DeadLettered) => {
                    take(&ports, &request, outcome).await?
                }
            }
        }
    };
    // What is noted of it is independent of one another: one wait for the disk, or the network, instead of three.
    let (marked, updated, appended) = join!(
        mark_delivery(&ports, &request, kind),
        update_workflow_record(&ports, &request, kind),
        append_history(&ports, &request, kind),
    )
    .await;
    marked?;
    updated?;
    appended?;
    if ports.webhooks.is_some() && kind.is_news() {
        // The callback has arrived: what its sender is told does not depend on who else hears of it.
        let _ = announce(&ports, &request, kind).await;
    }
    Ok(kind)
}

/// The name of the operation whose end decides what the sender is told.
pub(crate) const DELIVERY: &str = "take";

/// Brings a stored outcome to the execution that waits for it, or to the dead letters.
#[durable_execution(name = "take")]
async fn take(ports: &Ports, request: &Request, outcome: Outcome) -> Result<Kind, CallbackFault> {
    let delivered = deliver(ports, request, outcome).await;
    if let Err(fault) = &delivered {
        let buried = dead_letter(ports, request, fault.to_string()).await;
        if buried.is_err() {
            // The store went away after it had taken the outcome: no letter says that somebody waits for it.
            let _ = set_aside(ports, request, fault).await;
        }
    }
    delivered
}
