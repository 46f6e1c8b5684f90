//! What the agents are told at start-up, and the corpus they use when told nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::AgentsError;

/// The header in which [`AgentsConfig::api_key`] travels with each callback.
pub const API_KEY_HEADER: &str = "x-api-key";

/// What the agents are told at start-up.
#[derive(Clone)]
pub struct AgentsConfig {
    /// Where accepted tasks and the index are kept; one set of agents owns it at a time.
    pub data_dir: PathBuf,
    /// The directory of documents to research in.
    pub corpus: PathBuf,
    /// Where this process takes callbacks. Tasks resumed at start whose stored callback URL points at this
    /// machine are answered here instead: the process that dispatched them may have had another port.
    pub callback_url: Option<String>,
    /// Sent with each callback in the header [`API_KEY_HEADER`].
    pub api_key: Option<String>,
    /// A model that writes the report; without it the report is extractive.
    pub llm: Option<LlmConfig>,
    /// How often a working agent says that it is alive. Default: 20 seconds.
    pub heartbeat_interval: Duration,
    /// How many tasks one agent works on at the same time; others wait. Default: 2.
    pub concurrent_tasks: usize,
}

impl AgentsConfig {
    /// Agents that keep their state in `data_dir` and do their research in `corpus`; the rest by default.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, corpus: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            corpus: corpus.into(),
            callback_url: None,
            api_key: None,
            llm: None,
            heartbeat_interval: Duration::from_secs(20),
            concurrent_tasks: 2,
        }
    }
}

impl fmt::Debug for AgentsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentsConfig")
            .field("data_dir", &self.data_dir)
            .field("corpus", &self.corpus)
            .field("callback_url", &self.callback_url)
            .field("api_key", &self.api_key.as_ref().map(|_| "<redacted>"))
            .field("llm", &self.llm)
            .field("heartbeat_interval", &self.heartbeat_interval)
            .field("concurrent_tasks", &self.concurrent_tasks)
            .finish()
    }
}

/// An OpenAI-compatible chat endpoint.
///
/// Plain HTTP only, as no TLS is compiled in: a model server on this machine or network, or a local proxy
/// in front of a remote one.
#[derive(Clone)]
pub struct LlmConfig {
    /// The URL below which `chat/completions` lives, such as `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// The model's name, as the endpoint knows it.
    pub model: String,
    /// Sent as bearer token.
    pub api_key: Option<String>,
}

impl fmt::Debug for LlmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmConfig")
            .field("base_url", &self.base_url)
            .field("model", &self.model)
            .field("api_key", &self.api_key.as_ref().map(|_| "<redacted>"))
            .finish()
    }
}

/// Where the Cargo registry of this user keeps the sources of crates: below `CARGO_HOME`, or `~/.cargo`.
///
/// # Errors
/// When neither is set, or the directory doesn't exist because no crate was ever downloaded.
pub fn default_corpus() -> Result<PathBuf, AgentsError> {
    let home = std::env::var_os("CARGO_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .ok_or(AgentsError::NoHome)?;
    let sources = home.join("registry").join("src");
    if sources.is_dir() { Ok(sources) } else { Err(AgentsError::NoCargoRegistry { path: sources }) }
}

/// The corpus with links and `..` resolved, after proof that it is a directory and can be listed.
pub(super) fn check_corpus(corpus: &Path) -> Result<PathBuf, AgentsError> {
    let unreadable = |source| AgentsError::CorpusUnreadable { path: corpus.to_path_buf(), source };
    let resolved = corpus.canonicalize().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => AgentsError::CorpusMissing { path: corpus.to_path_buf() },
        _ => unreadable(source),
    })?;
    if !resolved.is_dir() {
        return Err(AgentsError::CorpusNotADirectory { path: corpus.to_path_buf() });
    }
    std::fs::read_dir(&resolved).map_err(unreadable)?;
    Ok(resolved)
}

/// An address the agents will have to call, proven to be one they can call.
pub(super) fn check_url(what: &'static str, url: &str) -> Result<Url, AgentsError> {
    let invalid = |reason: String| AgentsError::InvalidUrl { what, reason };
    let url = Url::parse(url).map_err(|error| invalid(error.to_string()))?;
    if url.scheme() == "http" {
        Ok(url)
    } else {
        Err(invalid(format!("scheme `{}` is not supported; give an `http://` URL", url.scheme())))
    }
}
