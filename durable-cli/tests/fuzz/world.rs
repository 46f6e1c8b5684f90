//! What the requests aim at, and the books that are kept of it.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    api::{Api, execution_path},
    server::until,
    wire::Connection,
};

/// An execution that waits for its callback, and must go on waiting.
pub(crate) struct Exhibit {
    pub(crate) arn: String,
    pub(crate) callback: String,
    before: (Value, Value),
}

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) exhibits: Vec<Exhibit>,
    /// The Runtime API of a process that does good work meanwhile.
    pub(crate) busy_runtime: SocketAddr,
    folder: PathBuf,
    books: Mutex<Books>,
    slow: Mutex<Vec<(Instant, Connection)>>,
}

/// Which executions there must be in the end.
#[derive(Default)]
pub(crate) struct Books {
    /// ARNs that the server gave.
    pub(crate) started: BTreeSet<String>,
    /// Starts whose answer was not waited for: each may have happened.
    pub(crate) perhaps: usize,
}

/// Connections that are left half-way, at most.
const MOST_SLOW: usize = 150;

impl World {
    pub(crate) fn new(address: SocketAddr, folder: &Path) -> Self {
        let api = Api { address };
        let mut books = Books::default();
        let script = json!({ "script": [{ "step": "kept" }, { "callback": {} }] });
        let exhibits = (0..4).map(|n| {
            let arn = api.start("good", &format!("exhibit-{n}"), &script);
            books.started.insert(arn.clone());
            let callback = until("the callback exists", || {
                let history = api.get(&execution_path(&arn, "/history"));
                let events = history["Events"].as_array()?;
                let started = events.iter().find(|event| event["EventType"] == "CallbackStarted")?;
                // The invocation has ended, too: from here on nothing happens by itself.
                events.iter().find(|event| event["EventType"] == "InvocationCompleted")?;
                started["CallbackStartedDetails"]["CallbackId"].as_str().map(str::to_owned)
            });
            let before = api.description(&arn);
            Exhibit { arn, callback, before }
        });
        let exhibits = exhibits.collect();
        let script = json!({ "script": [{ "variable": "AWS_LAMBDA_RUNTIME_API" }] });
        let reply = api.invoke("good", &[("X-Amz-Durable-Execution-Name", "address")], &script);
        books.started.insert(reply.header("x-amz-durable-execution-arn").expect("an ARN").to_owned());
        let busy_runtime = reply.json().and_then(|text| text.as_str()?.parse().ok()).expect("an address");
        let (books, slow) = (Mutex::new(books), Mutex::default());
        Self { api, exhibits, busy_runtime, folder: folder.to_owned(), books, slow }
    }

    /// The Runtime API of the function whose runtime the tests are; it changes when the process is replaced.
    pub(crate) fn own_runtime(&self) -> Option<SocketAddr> {
        std::fs::read_to_string(self.folder.join("address")).ok()?.trim().parse().ok()
    }

    pub(crate) fn started(&self, arn: &str) {
        self.books.lock().expect("nobody panics with it").started.insert(arn.to_owned());
    }

    pub(crate) fn perhaps_started(&self) {
        self.books.lock().expect("nobody panics with it").perhaps += 1;
    }

    pub(crate) fn books(self) -> Books {
        self.books.into_inner().expect("nobody panics with it")
    }

    /// Keeps a connection on which a request was begun and never ended.
    pub(crate) fn leave(&self, connection: Connection) {
        let mut slow = self.slow.lock().expect("nobody panics with it");
        if slow.len() < MOST_SLOW {
            slow.push((Instant::now(), connection));
        }
    }

    /// Forgets the connections that were left, after a check that those older than `patience` were closed.
    pub(crate) fn hang_up(&self, patience: Duration) -> Result<usize, String> {
        let slow = std::mem::take(&mut *self.slow.lock().expect("nobody panics with it"));
        let mut closed = 0;
        for (since, mut connection) in slow {
            if since.elapsed() > patience {
                if !connection.is_closed() {
                    return Err(format!("a connection that said nothing for {:?} is open", since.elapsed()));
                }
                closed += 1;
            }
        }
        Ok(closed)
    }

    /// Checks that nothing happened to the exhibits.
    pub(crate) fn check_exhibits(&self) -> Result<(), String> {
        for exhibit in &self.exhibits {
            let now = self.api.description(&exhibit.arn);
            if now != exhibit.before {
                return Err(format!("{} has changed: {now:?}, not {:?}", exhibit.arn, exhibit.before));
            }
        }
        Ok(())
    }
}
