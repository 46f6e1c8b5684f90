//! Faults by a seed: every kind happens, the result stays, and the same seed brings the same faults.

use std::{collections::BTreeSet, time::Duration};

use durable_runtime::prelude::*;
use durable_testing::{Answer, FaultCampaign, Faults, Scenario, Survived, effect};

#[durable_step(retry(max_attempts = 3, initial_delay = "5s", jitter = none))]
async fn act(label: String) -> Result<usize, Error> {
    effect(label.clone());
    tokio::time::sleep(Duration::from_millis(300)).await;
    if step_attempt() == Some(1) && label == "second" { Err(Error::new("busy")) } else { Ok(label.len()) }
}

#[durable_step(at_most_once)]
async fn once(label: String) -> Result<(), Error> {
    effect(label);
    Ok(())
}

#[durable_execution]
async fn busy() -> Result<usize, Error> {
    let (left, right) = try_join!(
        map(0..4_usize, |n| async move {
            let length = act(format!("item {n}")).await?;
            wait(Duration::from_secs(n as u64 + 1)).await;
            Ok::<_, Error>(length)
        }),
        act("second".into()),
    )
    .await?;
    let answer: usize = callback("answer").create().await.result().await?;
    match once("once".into()).await {
        Ok(()) => {}
        Err(error) if error.kind() == "Interrupted" => {}
        Err(error) => return Err(error),
    }
    Ok(left.into_iter().sum::<usize>() + right + answer)
}

fn scenario()
-> Scenario<(), impl durable_runtime::Root<(), Input = (), Output = Result<usize, Error>> + Clone> {
    Scenario::new(busy, ()).prepare(|test| test.on_callback("answer", |_| Answer::success(1).after("1m")))
}

fn run(faults: &Faults) -> Survived {
    scenario().faults(faults).run()
}

#[test]
fn each_kind_alone_happens_and_changes_no_result() {
    type Kind = fn(Faults) -> Faults;
    let kinds: [(&str, Kind); 8] = [
        ("call refused: TooManyRequestsException", |it| it.throttling(30)),
        ("call refused: ServiceException", |it| it.server_errors(30)),
        ("call refused: InvalidParameterValueException: Invalid checkpoint token", |it| it.stale_tokens(30)),
        ("answer lost", |it| it.lost_answers(30)),
        ("call reaches the service twice", |it| it.duplicated_calls(30)),
        ("invocation delivered twice", |it| it.duplicated_invocations(60)),
        ("commit takes ", |it| it.slow_commits(30, "40s")),
        ("clock jumps to ", |it| it.clock_jumps(30, "2h")),
    ];
    for (what, kind) in kinds {
        let mut happened = 0;
        for seed in 0..6 {
            let faults = kind(Faults::seeded(seed));
            let run = run(&faults);
            assert_eq!(run.result, "Ok(31)", "{what}: {faults:?}");
            let injected = faults.injected();
            assert!(injected.iter().all(|it| it.starts_with(what)), "{what}: {injected:?}");
            happened += injected.len();
            let once = run.steps_with("once");
            assert!(once.len() <= 1, "{what}: an at-most-once step ran twice");
        }
        assert!(happened > 3, "{what} happened {happened} times");
    }
}

#[test]
fn the_same_seed_brings_the_same_run() {
    let both = |seed| {
        let faults = Faults::seeded(seed).everything(20);
        let run = run(&faults);
        (faults.injected(), run.result, run.effects, run.elapsed)
    };
    let runs: Vec<_> = (0..10).map(both).collect();
    assert_eq!(runs, (0..10).map(both).collect::<Vec<_>>());
    let different: BTreeSet<_> = runs.iter().map(|(injected, ..)| injected).collect();
    assert!(different.len() > 8, "{different:?}");
}

#[test]
fn a_campaign_compares_many_seeds_with_the_calm_run() {
    let report = FaultCampaign::of(scenario).run(0..150, |faults| faults.everything(15));
    assert_eq!(report.result, "Ok(31)");
    assert!(report.injected > 600, "{report:?}");
}

#[durable_execution]
async fn dated() -> Result<bool, Error> {
    // Wrong: the clock of a process is not that of the execution.
    let before = now().await;
    wait(Duration::from_secs(60)).await;
    let after = now().await;
    Ok(after.since(before) >= Duration::from_secs(60))
}

#[test]
fn a_campaign_names_the_first_seed_that_fails() {
    let campaign = || FaultCampaign::new(dated, || ());
    let fails = |campaign: &FaultCampaign<(), _>, seeds: std::ops::Range<u64>| {
        let run = || campaign.run(seeds, |faults| faults.clock_jumps(40, "1h").slow_commits(10, "1s"));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    let found = fails(&campaign(), 0..100);
    assert!(
        found.contains("another result\n  without faults: Ok(true)\n  with them:      Ok(false)"),
        "{found}"
    );
    assert!(found.contains("clock jumps to "), "{found}");
    let seed: u64 = found.strip_prefix("seed ").unwrap().split(':').next().unwrap().parse().unwrap();
    assert_eq!(fails(&campaign(), seed..seed + 1), found);
    assert_eq!(fails(&campaign().threads(1), 0..100), found);
}
