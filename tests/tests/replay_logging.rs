//! What durable code logs is logged once, however often it is replayed.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use durable_runtime::{ReplayFilter, Root, environment::Options, prelude::*};
use durable_testing::{TestEngine, virtual_time};
use tracing::{Event, Subscriber, field::Visit, info};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

/// Keeps the messages of all events.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn of(&self, line: &str) -> usize {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|known| *known == line).count()
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
    }
}

/// Runs `function` and gives what it logged through the filter.
fn logged<F: Root<(), Input = ()> + Clone>(function: F, options: Options) -> Lines {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone().with_filter(ReplayFilter));
    tracing::subscriber::with_default(subscriber, || {
        virtual_time(async {
            info!("outside");
            let test = TestEngine::with_options(options);
            let run = test.start(function, ()).await;
            assert!(run.output().await.is_ok());
        });
    });
    assert_eq!(lines.of("outside"), 1);
    lines
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn charge() -> Result<u32, Error> {
    info!("charging");
    if step_attempt() == Some(1) { Err(Error::new("busy")) } else { Ok(1) }
}

#[durable_execution]
async fn checkout() -> Result<u32, Error> {
    info!("begin");
    let charged = charge().await?;
    info!("charged");
    wait(Duration::from_secs(60)).await;
    info!("waited");
    wait(Duration::from_secs(60)).await;
    info!("end");
    Ok(charged)
}

#[test]
fn each_line_of_durable_code_is_logged_once_and_each_attempt_of_a_step() {
    let lines = logged(checkout, Options::default());
    for line in ["begin", "charged", "waited", "end"] {
        assert_eq!(lines.of(line), 1, "{line}");
    }
    assert_eq!(lines.of("charging"), 2);
}

#[test]
fn replay_is_logged_where_it_is_wanted() {
    let lines = logged(checkout, Options { log_replay: true, ..Options::default() });
    // Four invocations: the first, after the retry, after each wait.
    for (line, times) in [("begin", 4), ("charged", 3), ("waited", 2), ("end", 1), ("charging", 2)] {
        assert_eq!(lines.of(line), times, "{line}");
    }
}

#[durable_execution]
async fn branch(seconds: u64) -> Result<u64, Error> {
    info!("branch {seconds} begins");
    wait(Duration::from_secs(seconds)).await;
    info!("branch {seconds} ends");
    Ok(seconds)
}

#[durable_execution]
async fn branches() -> Result<Vec<u64>, Error> {
    info!("begin");
    let all = map([10, 20, 30], branch).await?;
    info!("end");
    Ok(all)
}

#[test]
fn each_branch_knows_by_itself_whether_it_is_being_replayed() {
    let lines = logged(branches, Options::default());
    for line in ["begin", "end"] {
        assert_eq!(lines.of(line), 1, "{line}");
    }
    for seconds in [10, 20, 30] {
        for line in ["begins", "ends"] {
            assert_eq!(lines.of(&format!("branch {seconds} {line}")), 1, "branch {seconds} {line}");
        }
    }
}

#[durable_execution]
async fn watches_itself() -> Result<Vec<bool>, Error> {
    let before = is_replaying();
    wait(Duration::from_secs(1)).await;
    Ok(vec![before, is_replaying()])
}

#[test]
fn code_can_ask_whether_it_is_being_replayed() {
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(watches_itself, ()).await;
        // The invocation that returns replays what comes before the wait.
        assert_eq!(run.result().await.unwrap(), [true, false]);
        assert!(!is_replaying());
    });
}
