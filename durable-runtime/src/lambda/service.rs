//! The durable execution service behind the AWS SDK.

use std::sync::OnceLock;

use aws_sdk_lambda::Client;

use super::{client, convert, refusal};
use crate::{
    protocol::ExecutionState,
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
};

/// Operations in a page of the state: the most that the service gives.
const PAGE: i32 = 1000;

/// Lambda's API. The client is made by the first call: the root certificates must not delay the first request for an
/// invocation.
#[derive(Debug, Default)]
pub(super) struct LambdaService {
    client: OnceLock<Client>,
}

impl LambdaService {
    pub(super) fn with_client(client: Client) -> Self {
        Self { client: OnceLock::from(client) }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(client::from_environment)
    }
}

impl DurableService for LambdaService {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let updates = convert::updates(request.updates)?;
            let call = self
                .client()
                .checkpoint_durable_execution()
                .durable_execution_arn(request.durable_execution_arn)
                .checkpoint_token(request.checkpoint_token)
                .set_updates(Some(updates))
                // Without one the SDK draws one, once for all of its retries.
                .set_client_token(request.client_token);
            let output = call.send().await.map_err(|error| refusal::of(&error))?;
            Ok(CheckpointResponse {
                checkpoint_token: output.checkpoint_token,
                new_execution_state: output.new_execution_state.map(convert::new_state).unwrap_or_default(),
            })
        })
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        Box::pin(async move {
            let call = self
                .client()
                .get_durable_execution_state()
                .durable_execution_arn(request.durable_execution_arn)
                .checkpoint_token(request.checkpoint_token)
                .marker(request.marker)
                .max_items(PAGE);
            let output = call.send().await.map_err(|error| refusal::of(&error))?;
            Ok(convert::page(output.operations, output.next_marker))
        })
    }
}
