//! Decides what happens next, whenever nothing happens by itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use durable_engine::ListFilter;
use durable_runtime::protocol::{OperationStatus, OperationType, Timestamp};

use super::schedule::Chooser;
use crate::{
    engine::TestEngine,
    gate::{Arrival, Gates},
};

/// Passes only once everything else is at rest: virtual time stands still until then.
const REST: Duration = Duration::from_millis(1);

/// What was recorded elsewhere is noticed at the latest after this time by an invocation whose steps run: it asks
/// the service every 10 s for answers, and after 200 ms for what has become due.
const NOTICED: Duration = Duration::from_millis(10_500);
const DUE_NOTICED: Duration = Duration::from_millis(500);

/// Opens one gate after the other, or lets time go on.
pub(super) async fn run(test: TestEngine, gates: Arc<Gates>, chooser: Arc<Mutex<Chooser>>) {
    loop {
        tokio::time::sleep(REST).await;
        let arrivals = gates.arrivals();
        if arrivals.is_empty() {
            gates.arrived.notified().await;
            continue;
        }
        let due = next_due(&test, &gates).await;
        let mut options: Vec<String> = arrivals.iter().map(ToString::to_string).collect();
        if due.is_some() {
            options.push("time goes on".to_owned());
        }
        let choice = chooser.lock().unwrap_or_else(PoisonError::into_inner).choose(options);
        match due {
            Some(due) if choice == arrivals.len() => {
                test.clock().sleep_until(due).await;
                tokio::time::sleep(DUE_NOTICED).await;
            }
            _ => {
                gates.open(choice);
                // Otherwise the next choice could overtake this one.
                if !matches!(arrivals.get(choice), Some(Arrival::Step { .. })) {
                    tokio::time::sleep(NOTICED).await;
                }
            }
        }
    }
}

/// When the next wait, retry or scripted answer is due, if something waits for its time.
async fn next_due(test: &TestEngine, gates: &Gates) -> Option<Timestamp> {
    let now = test.clock().now();
    let mut due = gates.next_timer(now);
    let engine = test.try_engine()?;
    let list = engine.list(ListFilter::default()).await.ok()?;
    for execution in list.executions.iter().filter(|execution| !execution.status.is_terminal()) {
        for operation in engine.operations(&execution.arn).await.unwrap_or_default() {
            let moment = match (operation.operation_type, operation.status) {
                (OperationType::Wait, OperationStatus::Started) => {
                    operation.wait_details.and_then(|wait| wait.scheduled_end_timestamp)
                }
                (OperationType::Step, OperationStatus::Pending) => {
                    operation.step_details.and_then(|step| step.next_attempt_timestamp)
                }
                _ => None,
            };
            // What is due by now comes by itself.
            if let Some(moment) = moment.filter(|moment| *moment > now) {
                due = Some(due.map_or(moment, |due: Timestamp| due.min(moment)));
            }
        }
    }
    due
}
