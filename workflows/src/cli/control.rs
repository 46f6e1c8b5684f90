//! Who answers a command: this process when the data directory is free, or the one that uses it.

use std::path::Path;

use crate::{
    callback::Redriven,
    host::{DataDir, DataDirError, DecisionView, ExecutionView, Host, ListView, WorkflowView, address_in},
    http::ApiClient,
    ports::{DeadLetter, ListQuery, WorkflowId},
    research::Approval,
};

use super::CliError;

/// A way to the workflows of a data directory.
pub(super) enum Control {
    /// The directory is ours for the moment; nothing runs.
    Local(Host),
    /// Another process uses it and is asked.
    Remote(ApiClient),
}

impl Control {
    /// Finds the way.
    pub(super) async fn of(root: &Path) -> Result<Self, CliError> {
        match DataDir::open(root) {
            Ok(directory) => Ok(Self::Local(Host::open(directory).await?)),
            Err(DataDirError::InUse(root)) => match address_in(&root) {
                Some(address) => Ok(Self::Remote(ApiClient::new(address.url()))),
                None => Err(DataDirError::InUse(root).into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn list(&self, query: ListQuery) -> Result<ListView, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().list(query).await?),
            Self::Remote(client) => Ok(client.list(query).await?),
        }
    }

    pub(super) async fn execution(&self, id: &WorkflowId) -> Result<ExecutionView, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().execution(id).await?),
            Self::Remote(client) => Ok(client.execution(id).await?),
        }
    }

    pub(super) async fn decide(&self, id: &WorkflowId, approval: Approval) -> Result<DecisionView, CliError> {
        match self {
            Self::Local(host) => {
                let mut decision = host.service().decide(id, approval).await?;
                "; nothing runs at the moment: continue with `research --resume`, or `serve`"
                    .clone_into(&mut decision.message);
                let word = if decision.approved { "approved" } else { "rejected" };
                decision.message.insert_str(0, word);
                Ok(decision)
            }
            Self::Remote(client) => Ok(client.decide(id, &approval).await?),
        }
    }

    pub(super) async fn cancel(&self, id: &WorkflowId) -> Result<WorkflowView, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().cancel(id).await?),
            Self::Remote(client) => Ok(client.cancel(id).await?),
        }
    }

    pub(super) async fn dead_letters(&self) -> Result<Vec<DeadLetter>, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().dead_letters().await?),
            Self::Remote(client) => Ok(client.dead_letters().await?),
        }
    }

    pub(super) async fn redrive(&self) -> Result<Redriven, CliError> {
        match self {
            Self::Local(host) => host.service().redrive().await.map_err(CliError::failure),
            Self::Remote(client) => Ok(client.redrive().await?),
        }
    }

    /// Leaves the directory to others.
    pub(super) async fn close(self) {
        if let Self::Local(host) = self {
            host.shutdown().await;
        }
    }
}
