//! Requirement files.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One requirement: what a function is given, and what must become of it.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The folder, such as `step`.
    pub suite: String,
    /// The file's stem, such as `1-8`.
    pub id: String,
    /// What it says.
    pub file: RequirementFile,
}

/// A requirement as it is written. Prose that only people need is not read.
#[derive(Clone, Debug, Deserialize)]
pub struct RequirementFile {
    /// One line.
    #[serde(default)]
    pub description: String,
    /// True when failing it is no failure of the whole.
    #[serde(default)]
    pub optional: bool,
    /// Values that are made anew for each trial.
    #[serde(default, rename = "Variables")]
    pub variables: Map<String, Value>,
    /// What the function is invoked with.
    #[serde(default, rename = "Input")]
    pub input: Value,
    /// Whether the caller does not wait for the end.
    #[serde(default, rename = "AsyncInvoke")]
    pub asynchronous: bool,
    /// How often to look, and when to give up.
    #[serde(default, rename = "AsyncConfig")]
    pub polling: Polling,
    /// How the execution must end; absent when it need not.
    #[serde(default, rename = "ExpectedResult")]
    pub result: Option<ExpectedResult>,
    /// Events that must be in the history, each with its position.
    #[serde(default, rename = "ExpectedExecutionHistory")]
    pub history: Vec<Map<String, Value>>,
    /// Lines that must, or must not, have been logged.
    #[serde(default, rename = "ExpectedLogs")]
    pub logs: Vec<ExpectedLog>,
    /// What is sent to callbacks.
    #[serde(default, rename = "CallbackActions")]
    pub callbacks: Vec<CallbackAction>,
}

/// How an asynchronous execution is followed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Polling {
    poll_interval_seconds: f64,
    no_progress_timeout_seconds: f64,
}

impl Default for Polling {
    fn default() -> Self {
        Self { poll_interval_seconds: 2.0, no_progress_timeout_seconds: 30.0 }
    }
}

impl Polling {
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.poll_interval_seconds)
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.no_progress_timeout_seconds)
    }
}

/// How an execution must end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExpectedResult {
    /// Its status.
    #[serde(default)]
    pub execution_status: Option<String>,
    /// What it returned; the outer option says whether the file has this member at all.
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Value>,
}

/// A member that is there counts as present, also when it is null.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A line that must, or must not, have been logged.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpectedLog {
    /// Fields that it has.
    #[serde(rename = "match")]
    pub fields: Map<String, Value>,
    /// How often exactly.
    pub count: Option<usize>,
    /// How often at least.
    pub min_count: Option<usize>,
    /// How often at most.
    pub max_count: Option<usize>,
    /// Lines that come later.
    #[serde(default)]
    pub before: Vec<Map<String, Value>>,
    /// Lines that come earlier.
    #[serde(default)]
    pub after: Vec<Map<String, Value>>,
}

/// What is sent to a callback.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackAction {
    /// A name, a pattern, or `*`.
    pub callback_name: String,
    /// What is sent.
    pub operation: CallbackOperation,
    /// With what.
    #[serde(default, deserialize_with = "present")]
    pub payload: Option<Value>,
    /// Seconds to wait before.
    #[serde(default)]
    pub delay: f64,
}

/// What can be sent to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackOperation {
    /// Its result.
    Success,
    /// Its error.
    Failure,
    /// A sign of life.
    Heartbeat,
}

/// Reads `<folder>/<suite>/<id>.yaml`, in the order of their numbers.
///
/// # Errors
///
/// A file can't be read, or is no requirement.
pub fn load_all(folder: &Path) -> Result<Vec<Requirement>> {
    let mut requirements = Vec::new();
    for suite in fs::read_dir(folder).with_context(|| format!("can't read folder {}", folder.display()))? {
        let suite = suite?.path();
        if !suite.is_dir() {
            continue;
        }
        for file in fs::read_dir(&suite)? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                requirements.push(load(&path)?);
            }
        }
    }
    requirements.sort_by_key(|requirement| numbers(&requirement.id));
    Ok(requirements)
}

fn load(path: &Path) -> Result<Requirement> {
    let name = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    // Only `true` and `false`: `y` is a letter.
    let strict = serde_saphyr::options! { strict_booleans: true };
    let file = serde_saphyr::from_str_with_options(&text, strict)
        .with_context(|| format!("{} is not a requirement", path.display()))?;
    Ok(Requirement { suite: name(path.parent().and_then(Path::file_name)), id: name(path.file_stem()), file })
}

fn numbers(id: &str) -> Vec<u32> {
    id.split('-').filter_map(|number| number.parse().ok()).collect()
}
