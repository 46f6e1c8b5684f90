//! One function's settings.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use durable_runtime::{IntoDuration as _, protocol::limits};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{ConfigError, Retention};

/// How long an invocation may take by default: the longest that Lambda allows.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(900);
/// Processes of one function at the same time by default.
const DEFAULT_CONCURRENCY: usize = 10;
/// Megabytes that a function is told it has by default: Lambda's default.
const DEFAULT_MEMORY: u32 = 128;

/// How long processes are kept by default; Lambda keeps them about as long.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Lambda tries an event three times, at most and by default.
const MOST_EVENT_RETRIES: u32 = 2;
/// Lambda waits a minute before the second attempt.
const DEFAULT_EVENT_RETRY_DELAY: Duration = Duration::from_secs(60);

/// How a function is hosted: by a process that speaks the Lambda Runtime API (`command`), or by an HTTP endpoint
/// that speaks Invoke (`url`).
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FunctionConfig {
    /// The program and its arguments. Text is split at spaces; write a list for arguments with spaces.
    #[serde(default, deserialize_with = "text_or_list")]
    pub command: Vec<String>,
    /// Where to send invocations.
    #[serde(default)]
    pub url: Option<String>,
    /// False for a plain function, which gets its payload as it is. Default: true.
    #[serde(default = "yes")]
    pub durable: bool,
    /// `_HANDLER`, which runtimes of interpreted languages load. Default: the function's name.
    #[serde(default)]
    pub handler: Option<String>,
    /// The process's directory and `LAMBDA_TASK_ROOT`. Default: where `durable.toml` is.
    #[serde(default)]
    pub directory: Option<PathBuf>,
    /// How long one invocation may take; its process is killed then. Default: 15 minutes.
    #[serde(default = "default_timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// How long an execution may take. Default: the longest that the service allows.
    #[serde(default, deserialize_with = "optional_duration")]
    pub execution_timeout: Option<Duration>,
    /// How long its executions are kept after their end. Default: what the server says.
    #[serde(default)]
    pub retention: Option<Retention>,
    /// Megabytes, for `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`. Nothing enforces them. Default: 128.
    #[serde(default = "default_memory")]
    pub memory: u32,
    /// Invocations at the same time; further ones wait. Default: 10.
    #[serde(default = "default_concurrency")]
    pub concurrency: usize,
    /// How long a process without an invocation is kept. Default: 10 minutes.
    #[serde(default = "default_idle_timeout", deserialize_with = "duration")]
    pub idle_timeout: Duration,
    /// How often a plain function is called again for an event that it failed: 0 to 2, as on Lambda. Default: 2.
    #[serde(default = "default_event_retries")]
    pub event_retries: u32,
    /// How long to wait before the first of these; before the second it is twice as long. Default: 1 minute.
    #[serde(default = "default_event_retry_delay", deserialize_with = "duration")]
    pub event_retry_delay: Duration,
    /// Environment variables besides Lambda's own, over which they take precedence.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// With `--watch`: the command that rebuilds the function, run by `sh`. Default: none, only restart.
    #[serde(default)]
    pub build: Option<String>,
    /// With `--watch`: files and directories whose changes count. Default: the program itself.
    #[serde(default)]
    pub watch: Vec<PathBuf>,
}

/// Without the values of environment variables, which are where secrets are.
impl std::fmt::Debug for FunctionConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionConfig")
            .field("command", &self.command)
            .field("url", &self.url)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Where invocations go.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Process { program: String, arguments: Vec<String> },
    Http(reqwest::Url),
}

impl FunctionConfig {
    /// A function hosted by a process that speaks the Lambda Runtime API.
    pub fn command(command: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { command: command.into_iter().map(Into::into).collect(), ..Self::empty() }
    }

    /// A function behind an HTTP endpoint that speaks Invoke.
    pub fn url(url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::empty() }
    }

    /// Reads what a flag says: `http://…` is an endpoint, anything else a command.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.starts_with("http://") || text.starts_with("https://") {
            Self::url(text)
        } else {
            Self::command(text.split_whitespace())
        }
    }

    fn empty() -> Self {
        Self {
            command: Vec::new(),
            url: None,
            durable: true,
            handler: None,
            directory: None,
            timeout: DEFAULT_TIMEOUT,
            execution_timeout: None,
            retention: None,
            memory: DEFAULT_MEMORY,
            concurrency: DEFAULT_CONCURRENCY,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            event_retries: MOST_EVENT_RETRIES,
            event_retry_delay: DEFAULT_EVENT_RETRY_DELAY,
            environment: BTreeMap::new(),
            build: None,
            watch: Vec::new(),
        }
    }

    pub(super) fn resolve_paths(&mut self, base: &Path) {
        let directory =
            self.directory.take().map_or_else(|| base.to_owned(), |directory| base.join(directory));
        for path in &mut self.watch {
            *path = base.join(&path);
        }
        // An empty path is the current directory, which is what a process gets without one.
        self.directory = (directory != Path::new("")).then_some(directory);
    }

    /// Checks the settings and says where invocations go.
    pub(crate) fn target(&self, name: &str) -> Result<Target, ConfigError> {
        let refused = |problem: String| Err(ConfigError::Function { function: name.to_owned(), problem });
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || name.len() > 140 || !name.bytes().all(is_name) {
            return refused("the name of a function is 1 to 140 characters of [a-zA-Z0-9-_]".into());
        }
        if self.timeout.is_zero() {
            return refused("`timeout` is zero; write a duration such as \"30s\"".into());
        }
        if self.event_retries > MOST_EVENT_RETRIES {
            return refused("`event_retries` is 0, 1 or 2".into());
        }
        if self.concurrency == 0 {
            return refused("`concurrency` is zero, so it would never run; write at least 1".into());
        }
        if let Some(limit) = self.execution_timeout
            && !(1..=limits::MAX_WAIT_SECONDS).contains(&limit.as_secs())
        {
            return refused("`execution_timeout` is 1s to 366d".into());
        }
        if self.build.is_some() && self.watch.is_empty() {
            return refused("`build` has nothing to react to; list the sources under `watch`".into());
        }
        match (self.command.split_first(), &self.url) {
            (Some((program, arguments)), None) => {
                Ok(Target::Process { program: program.clone(), arguments: arguments.to_vec() })
            }
            (None, Some(url)) => match url.parse::<reqwest::Url>() {
                Ok(url) if url.scheme() == "http" => Ok(Target::Http(url)),
                Ok(url) => {
                    refused(format!("`url` begins with `{}:`; only `http:` is supported", url.scheme()))
                }
                Err(error) => refused(format!("`url` is not a URL: {error}")),
            },
            (None, None) => refused("nothing hosts it; write `command` or `url`".into()),
            (Some(_), Some(_)) => refused("both `command` and `url` are given; write one of them".into()),
        }
    }
}

const fn yes() -> bool {
    true
}

const fn default_timeout() -> Duration {
    DEFAULT_TIMEOUT
}

const fn default_memory() -> u32 {
    DEFAULT_MEMORY
}

const fn default_concurrency() -> usize {
    DEFAULT_CONCURRENCY
}

const fn default_idle_timeout() -> Duration {
    DEFAULT_IDLE_TIMEOUT
}

const fn default_event_retries() -> u32 {
    MOST_EVENT_RETRIES
}

const fn default_event_retry_delay() -> Duration {
    DEFAULT_EVENT_RETRY_DELAY
}

fn text_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a command as text, or a list of the program and its arguments")]
    enum Command {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Command::deserialize(deserializer)? {
        Command::Text(text) => text.split_whitespace().map(Into::into).collect(),
        Command::List(list) => list,
    })
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    String::deserialize(deserializer)?.into_duration().map_err(D::Error::custom)
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let problem = |config: FunctionConfig| config.target("f").unwrap_err().to_string();
        assert!(problem(FunctionConfig::parse("")).contains("nothing hosts it"));
        let both = FunctionConfig { url: Some("http://x/".into()), ..FunctionConfig::parse("bootstrap") };
        assert!(problem(both).contains("both"));
        assert!(problem(FunctionConfig::parse("https://x/")).contains("only `http:`"));
        let never = FunctionConfig { concurrency: 0, ..FunctionConfig::parse("bootstrap") };
        assert!(problem(never).contains("concurrency"));
        assert!(FunctionConfig::parse("bootstrap").target("a/b").is_err());
    }

    #[test]
    fn text_becomes_a_command_or_an_endpoint() {
        let target = |text: &str| FunctionConfig::parse(text).target("f").unwrap();
        assert!(matches!(target("http://127.0.0.1:9000/x"), Target::Http(url) if url.port() == Some(9000)));
        match target("python3 -m awslambdaric") {
            Target::Process { program, arguments } => {
                assert_eq!(
                    (program.as_str(), arguments.as_slice()),
                    ("python3", &["-m".into(), "awslambdaric".into()][..])
                );
            }
            other => panic!("{other:?}"),
        }
    }
}
