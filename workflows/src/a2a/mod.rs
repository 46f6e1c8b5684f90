//! The agent-to-agent (A2A) protocol: what is said to an agent, and the client that says it.
//!
//! One method matters here, `tasks/send`: a JSON-RPC 2.0 request whose message has one text part, and the
//! text is the JSON document of a [`Task`]. The agent answers at once that it accepted the task and
//! delivers the outcome later, through the task's callback.
//!
//! [`encode_send`] and [`decode_answer`] are the protocol without a transport, for one that is not plain
//! HTTP; [`A2aClient`] is both of them over HTTP. Neither retries: the durable step that dispatches does.

mod client;
mod error;
mod http;
mod rpc;
mod task;

pub use client::{A2aClient, decode_answer, encode_send};
pub use error::DispatchError;
pub(crate) use http::{HttpClients, describe_transport_error, is_loopback, redact_url};
pub use rpc::{
    Accepted, ErrorObject, Message, Part, RequestError, Response, SendParams, SendRequest, TaskState,
    decode_send, error_codes,
};
pub use task::{
    ArtifactReference, ArtifactType, Depth, Task, TaskInput, TaskInputs, TaskKind, TaskParameters,
};
