//! Random workflows with random crashes: the result is the one of the run without crashes, and what was finished
//! is not done again.

use std::{collections::BTreeSet, time::Duration};

use durable_runtime::{prelude::*, protocol::OperationId};
use durable_testing::{Scenario, Survived, World, effect as note};
use proptest::{
    prelude::*,
    test_runner::{Config, FileFailurePersistence},
};
use serde::{Deserialize, Serialize};

/// What a workflow is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Shape {
    /// A step that takes so many milliseconds of virtual time.
    Step(u64),
    /// A step that fails so many times before it succeeds.
    Retry {
        failures: u32,
        milliseconds: u64,
    },
    AtMostOnce(u64),
    Wait(u64),
    /// Completed by the world.
    Callback,
    /// A callback with a submitting step, completed by the world.
    Submitted,
    /// Checked so many times in vain.
    Condition(u32),
    Now,
    Child(Box<Shape>),
    Sequence(Vec<Shape>),
    Join(Box<Shape>, Box<Shape>),
    Map {
        items: Vec<Shape>,
        flat: bool,
        slots: usize,
    },
    /// Waits of different lengths, so that the winner doesn't depend on anything else.
    Race(BTreeSet<u64>),
}

/// What a workflow saw.
type Trace = Vec<String>;

#[durable_step]
async fn work(milliseconds: u64) -> Result<u64, Error> {
    note("work");
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(milliseconds)
}

#[durable_step(retry(max_attempts = 5, initial_delay = "1s", jitter = half))]
async fn fails(failures: u32, milliseconds: u64) -> Result<u32, Error> {
    note("fails");
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    match step_attempt() {
        Some(attempt) if attempt > failures => Ok(attempt),
        _ => Err(Error::new("busy")),
    }
}

#[durable_step(at_most_once)]
async fn once(milliseconds: u64) -> Result<u64, Error> {
    note("once");
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Ok(milliseconds)
}

#[durable_step]
async fn submit(id: CallbackId) -> Result<(), Error> {
    note("submit");
    if id.as_str().is_empty() { Err(Error::new("no id")) } else { Ok(()) }
}

#[durable_step]
async fn poll((done, wanted): (u32, u32)) -> Result<Condition<(u32, u32)>, Error> {
    note("poll");
    Ok(if done == wanted { Condition::Met((done, wanted)) } else { Condition::NotYet((done + 1, wanted)) })
}

#[durable_execution]
async fn race_of_waits(seconds: BTreeSet<u64>) -> Result<Trace, Error> {
    let batch = parallel(seconds.into_iter().rev().map(|seconds| async move {
        wait(Duration::from_secs(seconds)).await;
        Ok::<_, Error>(seconds)
    }))
    .min_successful(1)
    .outcome()
    .await;
    Ok(batch.succeeded().map(|seconds| format!("race {seconds}")).collect())
}

#[durable_execution]
async fn interpret(shape: Shape) -> Result<Trace, Error> {
    Ok(match shape {
        Shape::Step(milliseconds) => vec![format!("step {}", work(milliseconds).await?)],
        Shape::Retry { failures, milliseconds } => {
            vec![format!("retry {}", fails(failures, milliseconds).await?)]
        }
        Shape::AtMostOnce(milliseconds) => match once(milliseconds).await {
            Ok(_) => vec!["once".into()],
            Err(error) if error.kind() == "Interrupted" => vec!["once".into()],
            Err(error) => return Err(error),
        },
        Shape::Wait(seconds) => {
            wait(Duration::from_secs(seconds)).await;
            vec![format!("wait {seconds}")]
        }
        Shape::Callback => {
            let answer: u32 = callback("answer").create().await.result().await?;
            vec![format!("callback {answer}")]
        }
        Shape::Submitted => {
            let answer: u32 = callback("answer").submit(submit).await?;
            vec![format!("submitted {answer}")]
        }
        Shape::Condition(checks) => {
            let (done, _) = wait_for_condition((0, checks), poll).every("2s").await?;
            vec![format!("condition {done}")]
        }
        Shape::Now => {
            let first = now().await;
            vec![format!("now {}", now().await.since(first).as_secs() < 1)]
        }
        Shape::Child(inner) => {
            let mut trace = interpret(*inner).await?;
            trace.push("child".into());
            trace
        }
        Shape::Sequence(shapes) => {
            let mut trace = Vec::new();
            for shape in shapes {
                trace.extend(interpret(shape).await?);
            }
            trace
        }
        Shape::Join(left, right) => {
            let (left, right) = try_join!(interpret(*left), interpret(*right)).await?;
            [left, right].concat()
        }
        Shape::Map { items, flat, slots } => {
            let group = map(items, interpret).max_concurrency(slots);
            if flat { group.flat().await?.concat() } else { group.await?.concat() }
        }
        Shape::Race(seconds) => race_of_waits(seconds).await?,
    })
}

fn shapes() -> impl Strategy<Value = Shape> {
    let milliseconds = 0..5_000_u64;
    let leaf = prop_oneof![
        4 => milliseconds.clone().prop_map(Shape::Step),
        2 => (0..4_u32, milliseconds.clone())
            .prop_map(|(failures, milliseconds)| Shape::Retry { failures, milliseconds }),
        1 => milliseconds.prop_map(Shape::AtMostOnce),
        3 => (1..20_u64).prop_map(Shape::Wait),
        1 => Just(Shape::Callback),
        1 => Just(Shape::Submitted),
        1 => (0..3_u32).prop_map(Shape::Condition),
        1 => Just(Shape::Now),
        1 => proptest::collection::btree_set(1..15_u64, 2..4).prop_map(Shape::Race),
    ];
    let shape = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|inner| Shape::Child(Box::new(inner))),
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(Shape::Sequence),
            3 => (inner.clone(), inner.clone()).prop_map(|(left, right)| Shape::Join(Box::new(left), Box::new(right))),
            3 => (proptest::collection::vec(inner, 0..4), any::<bool>(), 1..4_usize)
                .prop_map(|(items, flat, slots)| Shape::Map { items, flat, slots }),
        ]
    });
    // A row of several, so that few are trivial.
    proptest::collection::vec(shape, 2..6).prop_map(Shape::Sequence)
}

/// Answers every callback, some time after it was opened.
async fn answer_everything(world: World) {
    loop {
        let id = world.callback("answer").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.complete_id(&id, &7).await;
    }
}

fn run(shape: &Shape, boundaries: BTreeSet<usize>) -> Survived {
    Scenario::new(interpret, shape.clone()).world(answer_everything).crash_at(boundaries)
}

/// The steps that did something and may do it again after a crash.
fn repeatable_steps(survived: &Survived) -> BTreeSet<OperationId> {
    ["work", "fails", "submit", "poll"].into_iter().flat_map(|label| survived.steps_with(label)).collect()
}

/// Boundaries at which the process dies, from positions in `0.0..1.0`.
fn plan(calm: &Survived, positions: &[f64]) -> BTreeSet<usize> {
    positions.iter().map(|position| (position * calm.boundaries.len() as f64) as usize + 1).collect()
}

fn config() -> Config {
    Config {
        // `PROPTEST_CASES` makes it more.
        cases: Config::default().cases.max(600),
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/determinism.proptest-regressions",
        ))),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn crashes_change_neither_the_result_nor_repeat_what_was_finished(
        shape in shapes(),
        positions in proptest::collection::vec(0.0..1.0_f64, 1..8),
    ) {
        let calm = run(&shape, BTreeSet::new());
        prop_assert!(calm.result.starts_with("Ok("), "without a crash: {}", calm.result);
        prop_assert_eq!(calm.crashes.len(), 0);

        let crashed = run(&shape, plan(&calm, &positions));
        prop_assert!(!crashed.crashes.is_empty());
        prop_assert_eq!(&crashed.result, &calm.result);
        prop_assert_eq!(&crashed.repeated, &[] as &[String]);
        prop_assert_eq!(repeatable_steps(&crashed), repeatable_steps(&calm));
        let once = crashed.steps_with("once");
        prop_assert_eq!(once.iter().collect::<BTreeSet<_>>().len(), once.len(), "an at-most-once step ran twice");
    }
}

#[test]
fn two_runs_without_crashes_are_alike() {
    let shape = Shape::Map {
        items: vec![
            Shape::Sequence(vec![
                Shape::Step(10),
                Shape::Retry { failures: 2, milliseconds: 5 },
                Shape::Callback,
            ]),
            Shape::Join(Box::new(Shape::Race([3, 1, 2].into())), Box::new(Shape::Condition(2))),
            Shape::Child(Box::new(Shape::Submitted)),
        ],
        flat: false,
        slots: 2,
    };
    let (first, second) = (run(&shape, BTreeSet::new()), run(&shape, BTreeSet::new()));
    assert_eq!((&first.result, &first.boundaries), (&second.result, &second.boundaries));
    assert_eq!(first.effects, second.effects);
}
