//! Who answers a command: this process when the data directory is free, or the one that uses it.

use std::path::Path;

use crate::{
    callback::Redriven,
    host::{DecisionView, ExecutionView, Host, ListView, ServiceError, WorkflowView},
    http::{ApiClient, ApiError},
    ports::{DeadLetter, ListQuery, WorkflowId},
    research::{Approval, ResearchInput},
};

use super::{
    CliError,
    attach::{Owner, owner_of},
};

/// A way to the workflows of a data directory.
#[derive(Debug)]
pub(super) enum Control {
    /// The directory is ours.
    Local(Host),
    /// Another process uses it and is asked.
    Remote(ApiClient),
}

/// What became of a decision.
#[derive(Debug)]
pub(super) enum Decided {
    /// It counts.
    Taken(DecisionView),
    /// It does not, for this reason; another one may stand.
    Refused(String),
}

impl Control {
    /// Finds the way to look at a directory, or to change something in it; nothing is run.
    pub(super) async fn of(root: &Path) -> Result<Self, CliError> {
        match owner_of(root, false).await? {
            Owner::Us(directory) => Ok(Self::Local(Host::open(directory).await?)),
            Owner::Another(client, _) => Ok(Self::Remote(client)),
        }
    }

    pub(super) async fn start(&self, input: &ResearchInput) -> Result<WorkflowId, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().start(input.clone(), None).await?.workflow_id),
            Self::Remote(client) => Ok(client.start(input).await?.workflow_id),
        }
    }

    pub(super) async fn list(&self, query: ListQuery) -> Result<ListView, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().list(query).await?),
            Self::Remote(client) => Ok(client.list(query).await?),
        }
    }

    /// The newest workflow that has not ended, of a topic or of any.
    pub(super) async fn unfinished(&self, topic: Option<&str>) -> Result<Option<WorkflowView>, CliError> {
        let client = match self {
            Self::Local(host) => return Ok(host.service().unfinished(topic).await?),
            Self::Remote(client) => client,
        };
        let mut query = ListQuery { limit: 100, ..ListQuery::default() };
        loop {
            let page = client.list(query.clone()).await?;
            let is_wanted = |workflow: &WorkflowView| {
                !workflow.status.is_terminal() && topic.is_none_or(|topic| topic == workflow.topic)
            };
            if let Some(workflow) = page.workflows.into_iter().find(is_wanted) {
                return Ok(Some(workflow));
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Ok(None);
            }
        }
    }

    pub(super) async fn execution(&self, id: &WorkflowId) -> Result<ExecutionView, CliError> {
        match self {
            Self::Local(host) => Ok(host.service().execution(id).await?),
            Self::Remote(client) => Ok(client.execution(id).await?),
        }
    }

    /// As [`execution`](Self::execution); `None` when the process that is asked has gone.
    pub(super) async fn watched(&self, id: &WorkflowId) -> Result<Option<ExecutionView>, CliError> {
        match self {
            Self::Local(host) => Ok(Some(host.service().execution(id).await?)),
            Self::Remote(client) => match client.execution(id).await {
                Ok(view) => Ok(Some(view)),
                Err(ApiError::Unreachable { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    pub(super) async fn decide(&self, id: &WorkflowId, approval: Approval) -> Result<Decided, CliError> {
        match self {
            Self::Local(host) => match host.service().decide(id, approval).await {
                Ok(mut decision) => {
                    if host.url().is_none() {
                        let word = if decision.approved { "approved" } else { "rejected" };
                        decision.message = format!(
                            "{word}; nothing runs at the moment: continue with `research --resume`, or `serve`"
                        );
                    }
                    Ok(Decided::Taken(decision))
                }
                Err(ServiceError::Conflict(message)) => Ok(Decided::Refused(message)),
                Err(error) => Err(error.into()),
            },
            Self::Remote(client) => match client.decide(id, &approval).await {
                Ok(decision) => Ok(Decided::Taken(decision)),
                Err(ApiError::Refused(message)) => Ok(Decided::Refused(message)),
                Err(error) => Err(error.into()),
            },
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
