//! What the killed processes left behind: their two files and the database.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use durable_engine::{Engine, ExecutionStatus, HistoryPage, service::EventType};
use serde_json::{Value, json};

/// Step names and how many of their attempts have a recorded end.
type Settled = BTreeMap<String, u32>;

pub(crate) struct Evidence {
    folder: PathBuf,
    executions: u64,
    /// What was recorded when each incarnation began: the first one began with nothing.
    settled_before: Vec<Settled>,
}

/// One line of `effects.log`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Effect {
    incarnation: u32,
    step: String,
    attempt: u32,
}

/// What `promises.log` says of one errand.
#[derive(Default)]
struct Promised {
    arns: BTreeSet<String>,
    results: BTreeSet<String>,
}

impl Evidence {
    pub(crate) fn new(folder: &Path, executions: u64) -> Self {
        Self { folder: folder.to_owned(), executions, settled_before: vec![Settled::new()] }
    }

    /// Looks at everything after a kill.
    pub(crate) async fn examine(&mut self, killed: u32) {
        let engine = self.open();
        for (errand, promised) in self.promises() {
            let arn = only(&promised.arns, || format!("errand {errand} has several executions"));
            let found = engine.get(&arn).await;
            assert!(
                found.is_ok(),
                "after kill {killed}, the acknowledged errand {errand} is gone: {found:?}"
            );
        }
        self.check_effects();
        let settled = self.settled(&engine).await;
        self.check_effect_of_every_end(&settled);
        self.settled_before.push(settled);
    }

    /// Looks at everything after the last process has ended by itself.
    pub(crate) async fn conclude(&self) {
        let engine = self.open();
        let promises = self.promises();
        assert_eq!(promises.len() as u64, self.executions, "not every errand was started");
        for (errand, promised) in promises {
            let arn = only(&promised.arns, || format!("errand {errand} has several executions"));
            let result = only(&promised.results, || format!("errand {errand} gave several results"));
            let summary = engine.get(&arn).await.unwrap();
            assert_eq!(summary.status, ExecutionStatus::Succeeded, "errand {errand}: {:?}", summary.error);
            assert_eq!(summary.result.as_deref(), Some(&*result), "errand {errand}");
            let result: Value = serde_json::from_str(&result).unwrap();
            assert_eq!(result["sum"], json!(14_411), "errand {errand}");
            if result["shipped"] == json!(true) {
                let step = format!("{errand}-ship");
                assert_eq!(self.effects().iter().filter(|effect| effect.step == step).count(), 1, "{step}");
            }
        }
        self.check_effects();
        self.check_effect_of_every_end(&self.settled(&engine).await);
    }

    /// How often an attempt had its effect once more, after it was cut off.
    pub(crate) fn repeated(&self) -> usize {
        let effects = self.effects();
        let distinct: BTreeSet<_> = effects.iter().map(|effect| (&effect.step, effect.attempt)).collect();
        effects.len() - distinct.len()
    }

    /// With no function registered, so that looking changes nothing.
    fn open(&self) -> Engine {
        Engine::open(self.folder.join("engine.db")).unwrap()
    }

    fn lines(&self, file: &str) -> Vec<String> {
        // A process that was killed early has not created it.
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn effects(&self) -> Vec<Effect> {
        let effect = |line: &String| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("a torn line: {line}"));
            let (incarnation, step, attempt) = (word(), word(), word());
            Effect {
                incarnation: incarnation.parse().unwrap(),
                step: step.to_owned(),
                attempt: attempt.parse().unwrap(),
            }
        };
        self.lines("effects.log").iter().map(effect).collect()
    }

    fn promises(&self) -> BTreeMap<u64, Promised> {
        let mut promises = BTreeMap::<u64, Promised>::new();
        for line in self.lines("promises.log") {
            let [kind, errand, what] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("a torn line: {line}")
            };
            let promised = promises.entry(errand.parse().unwrap()).or_default();
            let of_kind = if kind == "start" { &mut promised.arns } else { &mut promised.results };
            of_kind.insert(what.to_owned());
        }
        promises
    }

    /// What the history says of the ends of attempts.
    async fn settled(&self, engine: &Engine) -> Settled {
        let mut settled = Settled::new();
        for errand in 0..self.executions {
            let Ok(history) = engine.history(&format!("errand-{errand}"), HistoryPage::all()).await else {
                continue;
            };
            for event in history.events {
                if matches!(event.event_type, EventType::StepSucceeded | EventType::StepFailed) {
                    *settled.entry(event.name.unwrap().to_string()).or_default() += 1;
                }
            }
        }
        settled
    }

    /// No attempt was made twice by one process, none after its end was recorded, and no at-most-once step was
    /// made twice at all.
    fn check_effects(&self) {
        let mut seen = BTreeSet::new();
        let mut shipped = BTreeSet::new();
        for effect in self.effects() {
            let settled = &self.settled_before[effect.incarnation as usize];
            let recorded = settled.get(&effect.step).copied().unwrap_or_default();
            assert!(
                effect.attempt > recorded,
                "made again although {recorded} ends are recorded: {effect:?}"
            );
            if effect.step.ends_with("-ship") {
                assert!(shipped.insert(effect.step.clone()), "at most once, and made again: {effect:?}");
            }
            assert!(seen.insert(effect.clone()), "made twice by one process: {effect:?}");
        }
    }

    /// Nothing is recorded that did not happen. An at-most-once step may have been cut off before its effect.
    fn check_effect_of_every_end(&self, settled: &Settled) {
        let made: BTreeSet<_> =
            self.effects().into_iter().map(|effect| (effect.step, effect.attempt)).collect();
        for (step, attempts) in settled.iter().filter(|(step, _)| !step.ends_with("-ship")) {
            for attempt in 1..=*attempts {
                let effect = (step.clone(), attempt);
                assert!(
                    made.contains(&effect),
                    "the end of attempt {attempt} of {step} is recorded, its effect missing"
                );
            }
        }
    }
}

fn only(values: &BTreeSet<String>, complaint: impl Fn() -> String) -> String {
    assert_eq!(values.len(), 1, "{}: {values:?}", complaint());
    values.first().cloned().unwrap()
}
