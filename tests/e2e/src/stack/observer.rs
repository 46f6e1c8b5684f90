//! Sees the notifications and the domain events of a stack.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::sync::Mutex;

use super::moto::Moto;

/// How long a message may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A queue that gets what is published and emitted.
#[derive(Debug)]
pub struct Observer {
    queue_url: String,
    seen: Mutex<Vec<String>>,
}

impl Observer {
    pub(super) fn new(queue_url: String) -> Self {
        Self { queue_url, seen: Mutex::default() }
    }

    /// Waits for a message that names the workflow and the `sign`.
    ///
    /// # Errors
    ///
    /// None comes.
    pub async fn wait_for(&self, moto: &Moto, workflow_id: &str, sign: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let mut seen = self.seen.lock().await;
            seen.extend(moto.take_messages(&self.queue_url).await?.iter().map(ToString::to_string));
            if seen.iter().any(|message| message.contains(workflow_id) && message.contains(sign)) {
                return Ok(());
            }
            drop(seen);
            ensure!(begun.elapsed() < PATIENCE, "nobody was told `{sign}` of {workflow_id}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
