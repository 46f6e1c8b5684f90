//! Runs a command in the root of the workspace and can say how to repeat it by hand.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// A run of cargo.
#[derive(Clone)]
pub(crate) struct Cargo {
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Cargo {
    pub(crate) fn new<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self { arguments: arguments.into_iter().map(str::to_owned).collect(), variables: Vec::new() }
    }

    pub(crate) fn arguments<'a>(mut self, more: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(more.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Runs it with its output on ours.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status().with_context(|| format!("`{self}` could not be started"))?;
        self.check(status)
    }

    /// Runs it, showing each line of its standard output and handing it to `each`. The end of the run is
    /// checked by the caller, who may have something to say first.
    pub(crate) fn lines(&self, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
        let not_started = || format!("`{self}` could not be started");
        let mut child = self.command().stdout(Stdio::piped()).spawn().with_context(not_started)?;
        let output = child.stdout.take().expect("standard output is piped");
        for line in BufReader::new(output).split(b'\n') {
            let line = line.with_context(|| format!("the output of `{self}` could not be read"))?;
            // Tests may print anything; a wrong character must not end the run.
            each(&String::from_utf8_lossy(&line));
        }
        child.wait().with_context(|| format!("the end of `{self}` was missed"))
    }

    pub(crate) fn check(&self, status: ExitStatus) -> Result<()> {
        if !status.success() {
            bail!("{status}; to repeat it:\n\n    {self}\n");
        }
        Ok(())
    }

    fn command(&self) -> Command {
        // The cargo that runs us, so that `cargo +toolchain xtask` stays on that toolchain.
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(root());
        command
    }
}

/// As one would type it.
impl fmt::Display for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={value} ")?;
        }
        write!(f, "cargo {}", self.arguments.join(" "))
    }
}
