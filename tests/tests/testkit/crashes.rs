//! Crashes at every boundary, at pairs of them, and at one of them alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use durable_runtime::prelude::*;
use durable_testing::{Answer, CrashEverywhere, Scenario, effect};

#[durable_step]
async fn act(label: String) -> Result<usize, Error> {
    effect(label.clone());
    Ok(label.len())
}

#[durable_execution]
async fn sound() -> Result<usize, Error> {
    let first = act("first".into()).await?;
    let answer: usize = callback("answer").create().await.result().await?;
    wait(std::time::Duration::from_secs(60)).await;
    Ok(first + answer + act("second".into()).await?)
}

fn crashed_sound()
-> CrashEverywhere<(), impl durable_runtime::Root<(), Input = (), Output = Result<usize, Error>> + Clone> {
    CrashEverywhere::new(sound, || ())
        .prepare(|test| test.on_callback("answer", |_| Answer::success(1).after("1h")))
}

#[test]
fn a_sound_workflow_survives_single_crashes_and_pairs() {
    let once = crashed_sound().run();
    assert_eq!((once.result.as_str(), once.crashed_runs), ("Ok(12)", once.boundaries));
    let twice = crashed_sound().pairs().run();
    assert_eq!(twice.result, once.result);
    let n = once.boundaries;
    // Every crash adds boundaries, so there are more pairs than those of the calm run.
    assert!(twice.crashed_runs > n + n * (n - 1) / 2, "{} runs, {n} boundaries", twice.crashed_runs);
}

#[test]
fn one_thread_finds_what_many_find() {
    assert_eq!(crashed_sound().threads(1).run(), crashed_sound().threads(4).run());
}

/// Counts what it did outside of any record: wrong after a crash.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

#[durable_execution]
async fn unsound(counter: u32) -> Result<usize, Error> {
    act("first".into()).await?;
    let attempts = step!("count", { Ok::<_, Error>(current_step().map_or(0, |step| step.attempt)) }).await?;
    act("second".into()).await?;
    Ok(attempts as usize + counter as usize)
}

/// Fails when the process died after its first step was recorded.
fn planted() -> CrashEverywhere<
    (u32,),
    impl durable_runtime::Root<(u32,), Input = u32, Output = Result<usize, Error>> + Clone,
> {
    CrashEverywhere::of(|| {
        let counter = Counter::default();
        let calls = counter.clone();
        Scenario::new(unsound, 1).prepare(move |test| {
            test.fake_step("count", move |_| Ok::<_, Error>(calls.0.fetch_add(1, Ordering::Relaxed) as u32));
        })
    })
}

fn message(
    campaign: &CrashEverywhere<
        (u32,),
        impl durable_runtime::Root<(u32,), Input = u32, Output = Result<usize, Error>> + Clone,
    >,
) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| campaign.run())).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap()
}

#[test]
fn a_failure_names_the_first_boundary_and_how_to_make_that_run_alone() {
    let found = message(&planted());
    assert!(
        found.contains("another result\n  without the crash: Ok(1)\n  with it:           Ok(2)"),
        "{found}"
    );
    assert!(found.starts_with("crash at boundary "), "{found}");
    assert!(found.contains("checkpoint call") && found.contains("SUCCEED step `count`"), "{found}");
    for threads in 1..4 {
        assert_eq!(message(&planted().threads(threads)), found);
    }
    let number: usize = found.split([' ']).nth(3).unwrap().parse().unwrap();
    assert!(found.ends_with(&format!("make this run alone with `.only([{number}]).run()`")), "{found}");
    assert_eq!(message(&planted().only([number])), found);
    planted().only([number - 1]).run();
}

#[test]
fn what_a_run_leaves_behind_is_compared() {
    let campaign = CrashEverywhere::of(|| {
        let posted = Arc::new(Mutex::new(Vec::new()));
        let post = Arc::clone(&posted);
        Scenario::new(sound, ())
            .prepare(move |test| {
                test.on_callback("answer", |_| Answer::success(1));
                test.fake_step("act", move |step| {
                    post.lock().unwrap().push(step.operation_id.clone());
                    Ok::<_, Error>(5_usize)
                });
            })
            .left(move || posted.lock().unwrap().len())
    });
    let panic = catch_unwind(AssertUnwindSafe(|| campaign.run())).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("it left something else behind\n  without the crash: 2\n  with it: 3"),
        "{message}"
    );
}

#[test]
fn an_outside_that_panics_fails_the_campaign() {
    let campaign = CrashEverywhere::new(sound, || ()).world(|world| async move {
        world.callback("answer").await;
        panic!("the reviewer is ill");
    });
    let panic = catch_unwind(AssertUnwindSafe(|| campaign.run())).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("the reviewer is ill"));
}
