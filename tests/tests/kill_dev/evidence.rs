//! Holds what is found after each kill, and at the end, against what was promised.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    api::Api,
    clients::Clients,
    journal::{self, Entry},
};

/// What the sum of an errand is when every part of it counts once.
const SUM: u64 = 113_311;

/// Step names and how many of their attempts have a recorded end.
type Settled = BTreeMap<String, u32>;

pub(crate) struct Evidence {
    api: Api,
    clients: Arc<Clients>,
    folder: PathBuf,
    seen: Vec<Seen>,
}

/// What was recorded at a moment.
struct Seen {
    /// The server's.
    incarnation: u32,
    settled: Settled,
    /// How many entries of the journal were there just after: each of them may belong to something recorded later.
    entries: usize,
}

impl Evidence {
    pub(crate) fn new(api: Api, clients: Arc<Clients>, folder: &Path) -> Self {
        Self { api, clients, folder: folder.to_owned(), seen: Vec::new() }
    }

    /// Looks at everything after a kill.
    pub(crate) async fn examine(&mut self, incarnation: u32) {
        let settled = self.settled().await;
        let entries = journal::entries(&self.folder);
        check_effect_of_every_end(&settled, &entries);
        self.seen.push(Seen { incarnation, settled, entries: entries.len() });
        self.check_journal(&entries);
        self.check_results().await;
    }

    /// Looks at everything after all errands have ended.
    pub(crate) async fn conclude(&self, errands: u64) {
        let promised = self.clients.promised();
        assert_eq!(promised.len() as u64, errands, "not every errand was started");
        self.check_results().await;
        let entries = journal::entries(&self.folder);
        for (errand, promised) in promised {
            let arn = promised.arn.unwrap();
            let again = self.api.start(errand).await;
            assert_eq!(again.status, StatusCode::ACCEPTED, "errand {errand}: {}", again.text);
            assert_eq!(again.arn, Some(arn), "errand {errand} has several executions");
            let result = promised.result.unwrap();
            assert_eq!(result["sum"], json!(SUM), "errand {errand}: {result}");
            let approval = result["approval"].as_u64().unwrap();
            let accepted = &promised.approvals;
            assert!(
                accepted.contains(&approval),
                "errand {errand} got {approval}, accepted was {accepted:?}"
            );
            if result["shipped"] == json!(true) {
                let ship = format!("{errand}-ship");
                let is_ship = |entry: &&Entry| matches!(entry, Entry::Effect { step, .. } if *step == ship);
                assert_eq!(entries.iter().filter(is_ship).count(), 1, "{ship}");
            }
        }
        self.check_journal(&entries);
        check_effect_of_every_end(&self.settled().await, &entries);
    }

    /// How often an attempt had its effect once more, after it was cut off.
    pub(crate) fn repeated(&self) -> usize {
        let entries = journal::entries(&self.folder);
        let effects = effects(&entries);
        let distinct: BTreeSet<_> = effects.iter().map(|effect| (&effect.step, effect.attempt)).collect();
        effects.len() - distinct.len()
    }

    /// Every acknowledged execution is there, and every result that was given is what it was.
    async fn check_results(&self) {
        for (errand, promised) in self.clients.promised() {
            let Some(arn) = promised.arn else { continue };
            let execution = self.api.get(&arn).await;
            if let Some(result) = promised.result {
                assert_eq!(execution["Status"], "SUCCEEDED", "errand {errand}: {execution}");
                let now: Value = serde_json::from_str(execution["Result"].as_str().unwrap()).unwrap();
                assert_eq!(now, result, "errand {errand} gave several results");
            }
        }
    }

    /// What the histories say of the ends of attempts.
    async fn settled(&self) -> Settled {
        let mut settled = Settled::new();
        for (_, promised) in self.clients.promised() {
            let Some(arn) = promised.arn else { continue };
            for event in self.api.history(&arn).await {
                if event["EventType"] == "StepSucceeded" || event["EventType"] == "StepFailed" {
                    *settled.entry(event["Name"].as_str().unwrap().to_owned()).or_default() += 1;
                }
            }
        }
        settled
    }

    /// No attempt after its recorded or acknowledged end, but for orphans of an earlier server; none twice by one
    /// process; no at-most-once step twice at all.
    fn check_journal(&self, entries: &[Entry]) {
        let mut acknowledged = BTreeMap::<&str, u32>::new();
        let mut made = BTreeSet::new();
        let mut shipped = BTreeSet::new();
        for (position, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Callback { .. } => {}
                Entry::Acknowledged { incarnation, step } => {
                    acknowledged.entry(step).or_insert(*incarnation);
                }
                Entry::Effect { incarnation, process, step, attempt } => {
                    if let Some(by) = acknowledged.get(step.as_str()) {
                        assert!(incarnation < by, "made again after it was acknowledged: {entry:?}");
                    }
                    for seen in self.seen.iter().filter(|seen| seen.entries <= position) {
                        let recorded = seen.settled.get(step).copied().unwrap_or_default();
                        let is_orphan = *incarnation < seen.incarnation;
                        assert!(
                            is_orphan || *attempt > recorded,
                            "made again although {recorded} ends are recorded: {entry:?}"
                        );
                    }
                    assert!(made.insert((process, step, attempt)), "made twice by one process: {entry:?}");
                    let at_most_once = step.ends_with("-ship");
                    assert!(!at_most_once || shipped.insert(step), "at most once, and made again: {entry:?}");
                }
            }
        }
    }
}

/// One step's effect, whoever made it.
struct Effect<'a> {
    step: &'a str,
    attempt: u32,
}

fn effects(entries: &[Entry]) -> Vec<Effect<'_>> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Effect { step, attempt, .. } => Some(Effect { step, attempt: *attempt }),
            _ => None,
        })
        .collect()
}

/// Nothing is recorded that did not happen. An at-most-once step may have been cut off before its effect, and the step
/// that gives a callback's id away notes that.
fn check_effect_of_every_end(settled: &Settled, entries: &[Entry]) {
    let made: BTreeSet<_> =
        effects(entries).into_iter().map(|effect| (effect.step, effect.attempt)).collect();
    for (step, attempts) in settled {
        if step.ends_with("-ship") || step == "give_away" {
            continue;
        }
        for attempt in 1..=*attempts {
            let is_made = made.contains(&(step.as_str(), attempt));
            assert!(is_made, "the end of attempt {attempt} of {step} is recorded, its effect missing");
        }
    }
}
