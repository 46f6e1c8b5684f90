//! Removes what its time is over, for as long as a process runs.

use std::{sync::Arc, time::Duration, time::SystemTime};

use durable_engine::Engine;
use durable_runtime::protocol::Timestamp;

use super::{Service, ServiceError};
use crate::{
    callback::{CALLBACK_HANDLER, RETENTION, WEBHOOK_NOTIFICATION},
    ports::ListQuery,
    research::{RESEARCH_WORKFLOW, Status},
};

const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// An execution of the callback handler is of no use once its sender is answered, and there are many of them.
const CALLBACK_HISTORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps a data directory from growing without end.
pub(super) struct Housekeeping {
    pub(super) service: Arc<Service>,
    pub(super) engine: Engine,
    /// How long the history of an execution is kept after its end.
    pub(super) history_retention: Duration,
}

impl Housekeeping {
    /// Cleans up at once, and then once an hour.
    pub(super) async fn run(self) {
        loop {
            if let Err(error) = self.clean_up(SystemTime::now().into()).await {
                // Nothing is lost by trying again in an hour.
                tracing::warn!(%error, "what its time is over could not be removed");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn clean_up(&self, now: Timestamp) -> Result<(), ServiceError> {
        self.service.purge(now).await?;
        // Of an execution that is removed nobody can learn any more that it has ended.
        self.service.reconcile_open().await?;
        for (function, retention) in [
            (CALLBACK_HANDLER, CALLBACK_HISTORY),
            (WEBHOOK_NOTIFICATION, self.history_retention),
            (RESEARCH_WORKFLOW, self.history_retention),
        ] {
            let removed = self.engine.purge_ended(Some(function), before(now, retention)).await;
            let removed = removed.map_err(|error| ServiceError::Unavailable {
                what: "the durable execution service",
                detail: error.to_string(),
            })?;
            if removed > 0 {
                tracing::info!(event_type = "executions_purged", function, removed);
            }
        }
        Ok(())
    }
}

impl Service {
    /// Removes callback results, and what was kept of callbacks of workflows that ended, once their retention
    /// is over.
    async fn purge(&self, now: Timestamp) -> Result<(), ServiceError> {
        let removed = self.ports.callbacks.purge_expired(now).await?;
        if removed > 0 {
            tracing::info!(event_type = "callbacks_purged", removed);
        }
        let Some(queue) = &self.ports.dead_letter_queue else { return Ok(()) };
        for kept in queue.kept().await? {
            if kept.callback.at <= before(now, RETENTION) {
                tracing::warn!(event_type = "callback_given_up", request_id = kept.callback.id);
                queue.release(kept.receipt).await?;
            }
        }
        Ok(())
    }

    /// Closes the records of executions that ended without doing so.
    async fn reconcile_open(&self) -> Result<(), ServiceError> {
        for status in Status::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let mut query = ListQuery { status: Some(status), limit: 100, ..ListQuery::default() };
            loop {
                let page = self.ports.records.list(query.clone()).await?;
                for record in page.records {
                    match self.reconciled(record).await {
                        // Somebody else closed it just now.
                        Ok(_) | Err(ServiceError::Conflict(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
                query.cursor = page.next_cursor;
                if query.cursor.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_millis() - i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use durable_engine::{EngineError, StartOptions};
    use durable_runtime::prelude::*;

    use super::*;
    use crate::{
        host::{DataDir, Host},
        ports::{Change, NewRecord, Outcome, Unstored, WorkflowId},
        research::{Parameters, ResearchInput},
    };

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[durable_execution(name = "research_workflow")]
    async fn researching(_input: ()) -> Result<(), Interrupted> {
        Ok(())
    }

    #[durable_execution(name = "callback_handler")]
    async fn handling(_input: ()) -> Result<(), Interrupted> {
        Ok(())
    }

    /// A directory that nothing runs in, and how to keep house in it.
    async fn house(directory: &std::path::Path) -> (Host, Housekeeping) {
        let host = Host::open(DataDir::create(directory).unwrap()).await.unwrap();
        let engine = host.engine().clone();
        engine.register_workflows([
            durable_runtime::workflow(researching),
            durable_runtime::workflow(handling),
        ]);
        let service = Arc::clone(host.service());
        let housekeeping = Housekeeping { service, engine, history_retention: DAY * 14 };
        (host, housekeeping)
    }

    async fn end(engine: &Engine, function: &str, name: &str) -> String {
        let started = engine.start_raw(function, StartOptions::named(name), "null".into()).await.unwrap();
        engine.wait_for_end(&started.arn).await.unwrap();
        started.arn
    }

    #[tokio::test]
    async fn histories_are_kept_for_their_time_and_not_longer() {
        let directory = tempfile::tempdir().unwrap();
        let (host, house) = house(directory.path()).await;
        let now = Timestamp::from(SystemTime::now());
        let callback = end(&house.engine, CALLBACK_HANDLER, "callback-r").await;
        let research = end(&house.engine, RESEARCH_WORKFLOW, "w").await;
        let _newest = end(&house.engine, RESEARCH_WORKFLOW, "newest").await;
        let known = async |arn: &str| match house.engine.get(arn).await {
            Ok(_) => true,
            Err(EngineError::NotFound { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        for (days, expected) in
            [(0, (true, true)), (2, (false, true)), (13, (false, true)), (15, (false, false))]
        {
            house.clean_up(now.after(DAY * days)).await.unwrap();
            assert_eq!((known(&callback).await, known(&research).await), expected, "after {days} days");
        }
        host.shutdown().await;
    }

    #[tokio::test]
    async fn a_record_learns_of_the_end_of_its_execution_before_that_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let (host, house) = house(directory.path()).await;
        let records = &house.service.ports.records;
        for name in ["ended", "running"] {
            let input = ResearchInput::new("topic", Parameters::default()).unwrap();
            let id = WorkflowId::named(name);
            records.create(NewRecord { id: id.clone(), input }).await.unwrap();
            records.apply(Change::of(&id, "test").to(Status::Running)).await.unwrap();
        }
        // An execution that closed no record, as after a panic.
        end(&house.engine, RESEARCH_WORKFLOW, "ended").await;
        house.clean_up(Timestamp::from(SystemTime::now()).after(DAY * 100)).await.unwrap();
        let status = async |name: &str| records.get(WorkflowId::named(name)).await.unwrap().unwrap().status;
        assert_eq!((status("ended").await, status("running").await), (Status::Failed, Status::Running));
        host.shutdown().await;
    }

    #[tokio::test]
    async fn a_callback_that_nobody_could_store_is_given_up_after_its_retention() {
        let directory = tempfile::tempdir().unwrap();
        let (host, house) = house(directory.path()).await;
        let at = Timestamp::from(SystemTime::now());
        let queue = house.service.ports.dead_letter_queue.as_ref().unwrap();
        let outcome = Outcome::Failure { error_type: None, message: "m".to_owned() };
        let (id, token) = ("r".to_owned(), "t".to_owned());
        let (digest, reason) = ("d".to_owned(), "down".to_owned());
        let unstored = Unstored { id, token, outcome, digest, reason, at };
        queue.keep(unstored).await.unwrap();
        for (days, left) in [(13, 1), (14, 0)] {
            house.clean_up(at.after(DAY * days)).await.unwrap();
            assert_eq!(queue.kept().await.unwrap().len(), left, "after {days} days");
        }
        host.shutdown().await;
    }
}
