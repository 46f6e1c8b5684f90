//! The encryption example: what the history shows, what replay reads, and what happens with other keys.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use durable_engine::{ResultError, RunError};
use durable_runtime::{
    environment::Environment,
    prelude::*,
    protocol::{ErrorObject, InvocationInput, InvocationOutput, Operation},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use durable_testing::{
    Answer, Effect, Position, Replay, ReplayOutcome, TestEngine, TestRun, effect, take_effects, virtual_time,
};
use serde::{Deserialize, Serialize};

#[expect(unreachable_pub, reason = "written to be copied into a crate of its own")]
#[path = "../examples/encryption/seal.rs"]
mod seal;

use seal::{Encrypted, Keyring, Keys, Sealed};

const SECRET: &str = "4242-4242";
const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

static RING: Mutex<Option<Arc<Keyring>>> = Mutex::new(None);

struct TestKeys;

impl Keys for TestKeys {
    fn keyring() -> Arc<Keyring> {
        let ring = RING.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ring.as_ref().expect("the test has put keys into it"))
    }
}

/// Gives the program these keys from now on.
fn use_keys(ring: Keyring) {
    *RING.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(ring));
}

/// The tests share the program's keys, so they take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    use_keys(Keyring::new("old", &OLD));
    let _ = take_effects();
    turn
}

type Secret = Sealed<String, TestKeys>;

#[derive(Clone, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("declined")]
struct Declined {
    card: Secret,
}

impl From<Error> for Declined {
    fn from(error: Error) -> Self {
        Self { card: Sealed::new(error.to_string()) }
    }
}

#[durable_step(serdes = Encrypted<TestKeys>)]
async fn read_card(owner: &str) -> Result<String, Declined> {
    effect(owner);
    Ok(format!("{SECRET} of {owner}"))
}

#[durable_step(retry(none))]
async fn charge(card: &str) -> Result<(), Declined> {
    Err(Declined { card: Sealed::new(card.to_owned()) })
}

#[durable_step]
async fn forget(card: String) -> Result<(), Declined> {
    effect(format!("forget {card}"));
    Ok(())
}

#[durable_step]
async fn receive() -> Result<Secret, Declined> {
    Ok(Sealed::new(SECRET.to_owned()))
}

#[durable_step]
async fn poll(seen: String) -> Result<Condition<String>, Declined> {
    Ok(if seen.is_empty() { Condition::NotYet(SECRET.to_owned()) } else { Condition::Met(seen) })
}

impl From<ConditionExhausted> for Declined {
    fn from(exhausted: ConditionExhausted) -> Self {
        Self { card: Sealed::new(exhausted.to_string()) }
    }
}

/// Every way in which a value comes into the history.
#[durable_execution]
async fn everything(input: Secret) -> Result<Secret, Declined> {
    read_card("Ada").await?;
    let (left, right) = try_join!(receive(), receive()).await?;
    let mapped = map(["Bob", "Eve"], |owner| read_card(owner))
        .item_serdes::<Encrypted<TestKeys>>()
        .serdes::<Encrypted<TestKeys>>()
        .await?;
    let flat = map(["Flo"], |owner| read_card(owner)).flat().serdes::<Encrypted<TestKeys>>().await?;
    let polled = wait_for_condition(String::new(), poll).serdes::<Encrypted<TestKeys>>().every("1m").await?;
    let undone = saga!("charge", {
        let card = read_card("Ivy").compensate(forget).await?;
        charge(&card).await
    })
    .await;
    let Err(declined) = undone else { return Ok(input) };
    let all = [
        input.get(),
        left.get(),
        right.get(),
        &polled,
        declined.card.get(),
        &mapped.concat(),
        &flat.concat(),
    ];
    Ok(Sealed::new(all.map(String::as_str).join(" ")))
}

#[test]
fn the_history_holds_no_plain_text_and_replay_reads_it() {
    let _turn = alone();
    let history = virtual_time(async {
        let run = TestEngine::new().start(everything, Sealed::new(format!("{SECRET} of the input"))).await;
        let secret = run.result().await.unwrap();
        assert_eq!(secret.get().matches(SECRET).count(), 8, "{}", secret.get());
        // The condition suspends: everything before it was opened by a replay.
        run.history().await.invocations(2);
        run.export().await
    });
    let read: Vec<_> = take_effects().into_iter().map(|Effect { label, .. }| label).collect();
    assert_eq!(read, ["Ada", "Bob", "Eve", "Flo", "Ivy", "forget 4242-4242 of Ivy"]);
    assert!(
        history.contains("map-item-1") && history.contains("read_card"),
        "names stay readable: {history}"
    );
    assert!(history.matches("sealed").count() >= 10, "{history}");
    assert!(!history.contains(SECRET), "{history}");
}

#[durable_execution]
async fn two_cards() -> Result<String, Declined> {
    let ada = read_card("Ada").await?;
    wait(Duration::from_secs(60)).await;
    let bob = read_card("Bob").await?;
    Ok(format!("{} and {}", ada.len(), bob.len()))
}

/// Runs [`two_cards`], whose program has another ring after the wait.
fn with_other_keys(ring: Keyring) -> (Result<String, ResultError<Declined>>, Vec<Operation>, String) {
    virtual_time(async {
        let run = TestEngine::new().start(two_cards, ()).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        use_keys(ring);
        (run.result().await, run.operations().await, run.export().await)
    })
}

fn how_it_failed(result: Result<String, ResultError<Declined>>) -> ErrorObject {
    match result {
        Err(ResultError::Run(RunError::Ended { error: Some(error), .. })) => error,
        other => panic!("the execution should have failed: {other:?}"),
    }
}

#[test]
fn rotated_keys_open_what_the_older_one_sealed() {
    let _turn = alone();
    let (result, operations, history) = with_other_keys(Keyring::new("new", &NEW).and_older("old", &OLD));
    assert_eq!(result.unwrap(), "16 and 16");
    let records: Vec<_> =
        operations.iter().filter_map(|step| step.step_details.as_ref()?.result.as_deref()).collect();
    let [ada, bob] = records[..] else { panic!("{history}") };
    assert!(ada.contains(r#""key":"old""#) && bob.contains(r#""key":"new""#), "{ada} {bob}");
}

#[test]
fn a_missing_key_ends_the_execution_and_names_operation_and_key() {
    let _turn = alone();
    let (result, operations, _) = with_other_keys(Keyring::new("new", &NEW));
    let error = how_it_failed(result).to_string();
    for part in ["step `read_card`", "key `old`", "does not have", "`new`"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(operations.len(), 2, "nothing was done after it: {operations:?}");
}

#[test]
fn another_key_of_the_same_id_opens_nothing() {
    let _turn = alone();
    let (result, ..) = with_other_keys(Keyring::new("old", &NEW));
    let error = how_it_failed(result).to_string();
    assert!(error.contains("step `read_card`") && error.contains("the key is another one"), "{error}");
}

/// Somebody who can write to the history, and gives the second record to the first step.
struct Moving(SharedWorkflow);

impl Workflow for Moving {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn invoke(
        &self,
        mut input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let mut results = input
            .initial_execution_state
            .operations
            .iter_mut()
            .filter_map(|operation| operation.step_details.as_mut()?.result.as_mut());
        if let (Some(first), Some(second)) = (results.next(), results.next()) {
            first.clone_from(second);
        }
        self.0.invoke(input, environment)
    }
}

#[durable_execution]
async fn two_cards_at_once() -> Result<String, Declined> {
    let ada = read_card("Ada").await?;
    let bob = read_card("Bob").await?;
    wait(Duration::from_secs(60)).await;
    Ok(format!("{} and {}", ada.len(), bob.len()))
}

#[test]
fn a_record_can_not_be_moved_to_another_operation() {
    let _turn = alone();
    let result = virtual_time(async {
        let test = TestEngine::wrapping(|workflow| Arc::new(Moving(workflow)));
        test.start(two_cards_at_once, ()).await.result().await
    });
    let error = how_it_failed(result).to_string();
    assert!(error.contains("step `read_card`") && error.contains("moved here"), "{error}");
}

#[test]
fn a_history_replays_under_its_own_arn() {
    let _turn = alone();
    let (history, arn) = virtual_time(async {
        let run: TestRun<_> = TestEngine::new().start(two_cards_at_once, ()).await;
        run.result().await.unwrap();
        (run.export().await, run.arn().to_owned())
    });
    let outcome = Replay::of(&history).arn(arn).run(two_cards_at_once);
    let ReplayOutcome::Matches(replayed) = outcome else { panic!("{outcome:?}") };
    assert_eq!(replayed.position, Position::Returned(Some(r#""16 and 16""#.to_owned())));
}

#[durable_step(serdes = Encrypted<TestKeys>)]
async fn number() -> Result<u64, Declined> {
    Ok(42_424_242)
}

#[durable_step(name = "number", serdes = Encrypted<TestKeys>)]
async fn number_as_text() -> Result<String, Declined> {
    Ok(String::new())
}

#[durable_execution(name = "typed")]
async fn as_number() -> Result<u64, Declined> {
    let number = number().await?;
    wait(Duration::from_secs(60)).await;
    Ok(number)
}

#[durable_execution(name = "typed")]
async fn as_text() -> Result<u64, Declined> {
    let text = number_as_text().await?;
    wait(Duration::from_secs(60)).await;
    Ok(text.len() as u64)
}

#[test]
fn a_record_of_another_type_is_not_repeated_in_the_error() {
    let _turn = alone();
    let (history, arn) = virtual_time(async {
        let run = TestEngine::new().start(as_number, ()).await;
        run.result().await.unwrap();
        (run.export().await, run.arn().to_owned())
    });
    let outcome = Replay::of(&history).arn(arn).run(as_text);
    let shown = format!("{outcome:?}");
    assert!(shown.contains("step `number`") && shown.contains("could be opened"), "{shown}");
    assert!(!shown.contains("42424242"), "{shown}");
}

#[durable_step]
async fn tell(_: CallbackId) -> Result<(), Error> {
    Ok(())
}

/// Everything that somebody outside of the execution writes or reads.
#[durable_execution]
async fn border(input: Secret) -> Result<Secret, Error> {
    let created = callback::<Secret>("created").create().await.result().await?;
    let submitted: Secret = callback("submitted").submit(tell).await?;
    let invoked: Secret = invoke("mirror", &input).await?;
    wait(Duration::from_secs(60)).await;
    let all = [input.get(), created.get(), submitted.get(), invoked.get()];
    Ok(Sealed::new(all.map(String::as_str).join(" ")))
}

#[durable_execution]
async fn mirror(input: Secret) -> Result<Secret, Error> {
    Ok(Sealed::new(format!("mirrored {}", input.get())))
}

#[test]
fn what_crosses_the_border_is_sealed_without_a_place() {
    let _turn = alone();
    virtual_time(async {
        let test = TestEngine::new();
        test.register(mirror);
        for name in ["created", "submitted"] {
            test.on_callback(name, |_| Answer::success(Secret::new(SECRET.to_owned())));
        }
        let run = test.start(border, Sealed::new(SECRET.to_owned())).await;
        let expected = format!("{SECRET} {SECRET} {SECRET} mirrored {SECRET}");
        assert_eq!(*run.result().await.unwrap().get(), expected);
        let history = run.export().await;
        assert!(!history.contains(SECRET) && history.contains("submitted"), "{history}");
    });
}
