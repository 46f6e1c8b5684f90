//! Checkpoint calls that are slow, refused, lost or large.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use cross_tests::{
    faults::{Fault, engine_with},
    journal::note,
    runs::{Ended, finish},
};
use durable_runtime::{
    Root,
    prelude::*,
    protocol::{OperationAction, limits},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError},
};
use durable_testing::virtual_time;

fn run_with<F: Fault, R: Root<(), Input = ()> + Clone>(fault: &Arc<F>, function: R) -> Ended<R::Output> {
    virtual_time(async {
        let test = engine_with(fault);
        let run = test.start(function, ()).await;
        finish(&test, &run).await
    })
}

#[durable_step]
async fn work(n: u32) -> Result<u32, Error> {
    note(format!("work {n}"));
    tokio::time::sleep(Duration::from_millis(u64::from(n % 7) * 10)).await;
    Ok(n)
}

#[durable_execution]
async fn pair(n: u32) -> Result<u32, Error> {
    Ok(work(n).await? + work(n + 1000).await?)
}

#[durable_execution]
async fn many_branches() -> Result<u32, Error> {
    Ok(map(0..100, pair).await?.into_iter().sum())
}

/// Each call takes 50 ms, so that plenty is queued meanwhile; remembers what was sent.
#[derive(Default)]
struct Slow {
    sent: Mutex<Vec<CheckpointRequest>>,
    in_flight: AtomicUsize,
}

impl Slow {
    fn sent(&self) -> Vec<CheckpointRequest> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Fault for Slow {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            assert_eq!(self.in_flight.fetch_add(1, Ordering::Relaxed), 0, "one call at a time");
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
            tokio::time::sleep(Duration::from_millis(50)).await;
            let response = service.checkpoint(request).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
            response
        })
    }
}

/// F1: many branches start operations while a batch is on its way.
#[test]
fn an_update_is_sent_exactly_once_however_many_branches_queue_while_a_call_is_in_flight() {
    let slow = Arc::new(Slow::default());
    let ended = run_with(&slow, many_branches);
    let mut sent: HashMap<(String, OperationAction), usize> = HashMap::new();
    for update in slow.sent().into_iter().flat_map(|request| request.updates) {
        *sent.entry((update.id.to_string(), update.action)).or_default() += 1;
    }
    assert!(sent.values().all(|times| *times == 1));
    assert_eq!(ended.notes.len(), 200);
    assert_eq!(ended.value(), (0..100).map(|n| n + n + 1000).sum::<u32>());
}

/// Answers the call number `at` with `refusal`; the others pass.
struct Refusing {
    at: usize,
    refusal: ServiceError,
    calls: AtomicUsize,
    /// The refused call took effect, and only its answer was lost.
    after_commit: bool,
}

impl Refusing {
    fn new(at: usize, refusal: ServiceError) -> Arc<Self> {
        Arc::new(Self { at, refusal, calls: AtomicUsize::new(0), after_commit: false })
    }
}

impl Fault for Refusing {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            if self.calls.fetch_add(1, Ordering::Relaxed) + 1 != self.at {
                return service.checkpoint(request).await;
            }
            if self.after_commit {
                service.checkpoint(request).await?;
            }
            Err(self.refusal.clone())
        })
    }
}

#[durable_execution]
async fn three_steps() -> Result<u32, Error> {
    Ok(work(1).await? + work(2).await? + work(3).await?)
}

/// F10: a stale token or throttling is nobody's failure.
#[test]
fn a_stale_token_or_throttling_ends_the_invocation_and_not_the_execution() {
    let refusals = [
        ServiceError::transient(
            "InvalidParameterValueException",
            "Invalid Checkpoint Token: it was used before",
        ),
        ServiceError::transient("ThrottlingException", "Rate exceeded"),
        ServiceError::transient("ServiceException", "Internal error"),
    ];
    for refusal in refusals {
        for at in 1..=3 {
            let ended = run_with(&Refusing::new(at, refusal.clone()), three_steps);
            assert_eq!(ended.invocations, 2, "{refusal} at call {at}");
            for n in 1..=3 {
                assert!(
                    (1..=2).contains(&ended.noted(&format!("work {n}"))),
                    "{refusal} at call {at}: step {n}"
                );
            }
            assert_eq!(ended.value(), 6, "{refusal} at call {at}");
        }
    }
}

/// F10: the answer of a call that took effect is lost; what it recorded is not done again.
#[test]
fn a_lost_answer_repeats_nothing_that_is_recorded() {
    let refusal = ServiceError::transient("TimeoutError", "no answer");
    for at in 1..=3 {
        let fault = Refusing { at, refusal: refusal.clone(), calls: AtomicUsize::new(0), after_commit: true };
        let ended = run_with(&Arc::new(fault), three_steps);
        for n in 1..at as u32 {
            assert_eq!(ended.noted(&format!("work {n}")), 1, "lost at call {at}: step {n}");
        }
        assert_eq!(ended.value(), 6, "lost at call {at}");
    }
}

/// F10, F25: what would be refused for ever fails the execution, with the service's words.
#[test]
fn a_permanent_refusal_fails_the_execution_with_the_services_words() {
    let refusal = ServiceError::permanent("KMSAccessDeniedException", "the key is disabled");
    let ended = run_with(&Refusing::new(2, refusal), three_steps);
    assert_eq!(ended.error().kind(), Some("CheckpointError"));
    for part in ["KMSAccessDeniedException", "the key is disabled"] {
        assert!(ended.error().message().contains(part), "{part} in {}", ended.error());
    }
    assert_eq!(ended.invocations, 1);
}

/// F10, F25: a refused call ends everything that runs, not only the operation that it was about.
#[test]
fn a_refusal_during_a_map_ends_the_whole_invocation() {
    let refusal = ServiceError::permanent("InvalidParameterValueException", "no such operation type");
    let ended = run_with(&Refusing::new(2, refusal), many_branches);
    assert_eq!(ended.error().kind(), Some("CheckpointError"));
    assert_eq!(ended.invocations, 1);
}

#[durable_step]
async fn big(n: u32) -> Result<String, Error> {
    Ok("\"".repeat(9_000 + n as usize))
}

#[durable_execution]
async fn big_batches() -> Result<usize, Error> {
    Ok(map(0..300, big).await?.iter().map(String::len).sum())
}

/// F11: a batch grows past the service's limit.
#[test]
fn batches_are_cut_by_bytes_and_by_count_in_order() {
    let slow = Arc::new(Slow::default());
    let ended = run_with(&slow, big_batches);
    let sent = slow.sent();
    assert!(sent.len() > 4, "300 results of 18 kB in {} calls", sent.len());
    for request in &sent {
        assert!(request.updates.len() <= limits::BATCH_UPDATES);
        let bytes = serde_json::to_string(&request.updates).unwrap().len();
        assert!(bytes <= limits::BATCH_BYTES, "{bytes} bytes");
    }
    let mut started = BTreeSet::new();
    for update in sent.iter().flat_map(|request| &request.updates) {
        match update.action {
            OperationAction::Start => assert!(started.insert(update.id.clone())),
            _ => assert!(started.contains(&update.id), "{} ended before it began", update.id),
        }
    }
    assert_eq!(ended.value(), (0..300).map(|n| 9_000 + n).sum::<usize>());
}

/// Gives no new token, as after a call that the service considers complete; the old one stays valid.
#[derive(Default)]
struct Tokenless {
    /// What the client has, and what the service would have given it.
    tokens: Mutex<Option<(String, String)>>,
}

impl Fault for Tokenless {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        mut request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let sent = request.checkpoint_token.clone();
            if let Some((known, real)) = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).take() {
                assert_eq!(sent, known, "the last token that was given");
                request.checkpoint_token = real;
            }
            let mut response = service.checkpoint(request).await?;
            if let Some(real) = response.checkpoint_token.replace(String::new()) {
                *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = Some((sent, real));
            }
            Ok(response)
        })
    }
}

/// F14: no new token in an answer.
#[test]
fn without_a_new_token_the_last_one_is_kept() {
    let ended = run_with(&Arc::new(Tokenless::default()), three_steps);
    assert_eq!((ended.invocations, ended.value()), (1, 6));
}

#[durable_execution]
async fn races_in_a_row() -> Result<Vec<u32>, Error> {
    let mut winners = Vec::new();
    for n in 0..5 {
        winners.push(race!(work(n), work(n + 100), pair(n + 200)).await?);
    }
    Ok(winners)
}

/// F22: a loser is dropped while its checkpoint call is in flight.
#[test]
fn a_loser_that_is_dropped_while_its_call_is_in_flight_loses_no_token() {
    let slow = Arc::new(Slow::default());
    let ended = run_with(&slow, races_in_a_row);
    let tokens: BTreeSet<_> = slow.sent().into_iter().map(|request| request.checkpoint_token).collect();
    assert_eq!(tokens.len(), slow.sent().len());
    assert_eq!(ended.invocations, 1);
    assert_eq!(ended.value().len(), 5);
}

/// F17: each sequential step costs one round trip, also when the service is slow.
#[test]
fn a_sequential_step_costs_one_round_trip() {
    let slow = Arc::new(Slow::default());
    let ended = run_with(&slow, three_steps);
    assert!(ended.checkpoint_calls <= 4, "{} calls", ended.checkpoint_calls);
    assert_eq!(ended.value(), 6);
}
