//! Who starts executions, completes their callbacks and waits for their results; and what they were promised.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use cross_tests::random::Random;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use crate::{api::Api, journal};

const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What one errand's clients were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    pub(crate) arn: Option<String>,
    /// The values that the callback may have.
    pub(crate) approvals: Vec<u64>,
    pub(crate) result: Option<Value>,
}

pub(crate) struct Clients {
    api: Api,
    folder: PathBuf,
    promised: Mutex<BTreeMap<u64, Promised>>,
}

impl Clients {
    pub(crate) fn new(api: Api, folder: &Path) -> Self {
        Self { api, folder: folder.to_owned(), promised: Mutex::default() }
    }

    /// Starts the clients of all errands. Each task ends with its execution.
    pub(crate) fn start(clients: &Arc<Self>, errands: u64, random: &mut Random) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for errand in 0..errands {
            let clients = Arc::clone(clients);
            let mut random = Random::new(random.below(0..u64::MAX));
            tasks.spawn(async move {
                // Not all at once, so that there are executions in every phase.
                sleep(Duration::from_millis(random.below(0..errands * 50))).await;
                let arn = clients.begin(errand).await;
                tokio::join!(clients.approve(errand, &mut random), clients.end(errand, &arn));
            });
        }
        tasks
    }

    pub(crate) fn promised(&self) -> BTreeMap<u64, Promised> {
        self.lock().clone()
    }

    /// The errands without a result, for people.
    pub(crate) fn missing(&self, errands: u64) -> String {
        let promised = self.promised();
        let missing: Vec<_> = (0..errands)
            .filter(|errand| promised.get(errand).is_none_or(|promised| promised.result.is_none()))
            .map(|errand| format!("{errand}: {:?}", promised.get(&errand)))
            .collect();
        missing.join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Promised>> {
        self.promised.lock().unwrap()
    }

    async fn begin(&self, errand: u64) -> String {
        let answer = self.api.start(errand).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "errand {errand}: {}", answer.text);
        let arn = answer.arn.unwrap();
        self.lock().entry(errand).or_default().arn = Some(arn.clone());
        arn
    }

    /// Completes the callback, with another value each time it is not known whether that worked.
    async fn approve(&self, errand: u64, random: &mut Random) {
        let callback = loop {
            match journal::callback(&self.folder, errand) {
                Some(callback) => break callback,
                None => sleep(LOOK_AGAIN).await,
            }
        };
        sleep(Duration::from_millis(random.below(0..2_000))).await;
        for value in 1.. {
            match self.api.succeed(&callback, value).await {
                Some(answer) if answer.status == StatusCode::OK => {
                    self.lock().entry(errand).or_default().approvals = vec![value];
                    return;
                }
                // It has been completed: by one of those that had no answer.
                Some(answer) => {
                    let refused = format!("errand {errand}, value {value}: {}", answer.text);
                    assert!(value > 1 && answer.text.contains("callback"), "{refused}");
                    self.lock().entry(errand).or_default().approvals = (1..value).collect();
                    return;
                }
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Waits for the result, some by Invoke and some by looking.
    async fn end(&self, errand: u64, arn: &str) {
        let result = if errand.is_multiple_of(3) {
            let answer = self.api.run(errand).await;
            assert_eq!(
                (answer.status, answer.arn.as_deref()),
                (StatusCode::OK, Some(arn)),
                "errand {errand}"
            );
            answer.json()
        } else {
            loop {
                let execution = self.api.get(arn).await;
                match execution["Status"].as_str().unwrap() {
                    "RUNNING" => sleep(LOOK_AGAIN).await,
                    "SUCCEEDED" => {
                        break serde_json::from_str(execution["Result"].as_str().unwrap()).unwrap();
                    }
                    _ => panic!("errand {errand} ended as {execution}"),
                }
            }
        };
        self.lock().entry(errand).or_default().result = Some(result);
    }
}
