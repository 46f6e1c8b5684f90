//! Calls of the REST API, against any service that has it.

mod api;
#[cfg(feature = "aws")]
mod aws;
mod endpoint;
mod transport;

pub(crate) use api::{Api, Event, Execution, HistoryQuery, ListQuery, StartRequest};
pub(crate) use endpoint::EndpointArguments;
pub(crate) use transport::ClientError;
