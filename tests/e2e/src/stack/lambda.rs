//! `durable dev`, which hosts the functions of all stacks.

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// A function as `durable.toml` describes it.
#[derive(Debug, Default, Serialize)]
pub struct Hosted {
    /// The program; none for a function behind a URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The endpoint of a function that is no program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// False for a plain function.
    pub durable: bool,
    /// Of one invocation.
    pub timeout: String,
    /// Of an execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_timeout: Option<String>,
    /// Megabytes.
    pub memory: u64,
    /// Processes at the same time.
    pub concurrency: usize,
    /// Variables besides Lambda's own.
    pub environment: BTreeMap<String, String>,
}

/// A running `durable dev`.
#[derive(Debug)]
pub struct Lambda {
    process: Child,
    /// Where its API is.
    pub url: String,
}

impl Lambda {
    /// Starts it. Its messages, and what functions write, go to a file.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start(durable: &Path, functions: &BTreeMap<String, Hosted>, folder: &Path) -> Result<Self> {
        let settings = folder.join("durable.toml");
        let text = toml::to_string(&BTreeMap::from([("functions", functions)]))?;
        std::fs::write(&settings, text).with_context(|| format!("can't write {}", settings.display()))?;
        let mut process = Command::new(durable)
            .args(["dev", "--port", "0", "--config"])
            .arg(&settings)
            .arg("--data")
            .arg(folder.join("executions"))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("functions.log"))?)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} could not be started", durable.display()))?;
        let messages = process.stderr.take().context("standard error is piped")?;
        let mut lines = BufReader::new(messages).lines();
        let log = folder.join("durable.log");
        let mut said = String::new();
        while let Some(line) = lines.next_line().await? {
            said.push_str(&line);
            said.push('\n');
            if let Some((_, url)) = line.split_once("AWS_ENDPOINT_URL_LAMBDA=") {
                let url = url.trim().to_owned();
                tokio::spawn(async move {
                    let mut file = tokio::fs::File::create(log).await?;
                    tokio::io::copy(&mut lines.into_inner(), &mut file).await
                });
                return Ok(Self { process, url });
            }
        }
        bail!("`durable dev` ended before it was ready:\n{said}")
    }

    /// The processes of a function that live now.
    #[must_use]
    pub fn processes(&self, function: &str) -> Vec<Pid> {
        let Some(parent) = self.process.id() else { return Vec::new() };
        let marker = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| {
                let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
                // Not every process may be looked at, and any can end meanwhile.
                let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
                let is_ours = status
                    .lines()
                    .any(|line| line.strip_prefix("PPid:").is_some_and(|it| it.trim().parse() == Ok(parent)));
                let environment = is_ours.then(|| std::fs::read(entry.path().join("environ")).ok())??;
                let is_function = environment.split(|byte| *byte == 0).any(|it| it == marker.as_bytes());
                is_function.then(|| Pid::from_raw(pid))?
            })
            .collect()
    }

    /// Kills one process of a function without warning, the one that `choose` picks of so many; says whether there
    /// was one.
    pub fn kill_one(&self, function: &str, choose: impl FnOnce(usize) -> usize) -> bool {
        let processes = self.processes(function);
        let chosen = if processes.is_empty() { None } else { processes.get(choose(processes.len())) };
        chosen.is_some_and(|pid| kill_process(*pid, Signal::KILL).is_ok())
    }

    /// Ends it and its functions' processes.
    pub async fn stop(mut self) {
        // It ends its functions only when it is asked to.
        if let Some(pid) = self.process.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(Duration::from_secs(20), self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }
}
