//! `cargo xtask conformance`: AWS's requirements for durable execution SDKs, at the development server.
//!
//! One function for each requirement runs in processes of its own, hosted by `durable dev`; the judge drives them
//! through the REST API and reads their logs.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};

use serde_json::Value;

use crate::command::{Cargo, root};

/// What to try, and where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Ids such as 1-8, or suites such as step; all of them when none is named.
    only: Vec<String>,
    /// Requirements that are tried at the same time.
    #[arg(long, default_value_t = 24)]
    concurrency: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let programs = build()?;
    let folder = emptied(programs.join("conformance-data"))?;
    let settings = folder.join("durable.toml");
    let functions = function_table(&function_names(&programs)?, &programs.join("conformance-bootstrap"))?;
    fs::write(&settings, functions).with_context(|| format!("can't write {}", settings.display()))?;

    let server = Server::start(&programs.join("durable"), &settings, &folder.join("data"))?;
    let judge = Command::new(programs.join("conformance-judge"))
        .args(["run", "--endpoint", &server.url, "--concurrency", &arguments.concurrency.to_string()])
        .args(&arguments.only)
        .status()
        .context("the judge could not be started")?;
    drop(server);
    ensure!(judge.success(), "not all requirements are met");
    Ok(())
}

/// A folder with nothing in it.
pub(crate) fn emptied(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("can't empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    Ok(folder)
}

/// Builds every program of the workspace, and gives the folder where they are.
pub(crate) fn build() -> Result<PathBuf> {
    everything().run()?;
    programs()
}

/// The program of the tests in a file, once [`build`] has made it.
pub(crate) fn test_program(file: &str) -> Result<PathBuf> {
    let (path, mut program) = (root().join(file), None);
    let built = everything().arguments(["--message-format", "json-render-diagnostics"]);
    let status = built.lines(|line| {
        if let Some(found) = test_program_in(line, &path) {
            program = Some(found);
        }
    })?;
    built.check(status)?;
    program.with_context(|| format!("cargo builds no tests of {file}"))
}

/// The program that a message of cargo's is about, when it has the tests in `file`.
fn test_program_in(message: &str, file: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let is_it = message.pointer("/target/src_path")?.as_str()? == file.to_str()?;
    is_it.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
}

/// The same selection as that of the tests, whose dependencies have features of their own: with any other one cargo
/// would build much of it again.
fn everything() -> Cargo {
    Cargo::new(["build", "--workspace", "--all-features", "--bins", "--tests"])
}

/// Where cargo puts programs: this one is there, too.
fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program does not know where it is")?;
    Ok(own.parent().context("this program is in no folder")?.to_owned())
}

fn function_names(programs: &Path) -> Result<Vec<String>> {
    let listed = Command::new(programs.join("conformance-judge"))
        .arg("functions")
        .output()
        .context("the judge could not be started")?;
    ensure!(listed.status.success(), "the judge does not say which functions there are");
    let names = String::from_utf8(listed.stdout).context("the names of functions are not text")?;
    Ok(names.lines().map(str::to_owned).collect())
}

/// All functions, each run by `program`.
pub(crate) fn function_table(names: &[String], program: &Path) -> Result<String> {
    // JSON's strings are TOML's basic strings, too.
    let command =
        serde_json::to_string(&[program.to_str().context("the path of the programs is not UTF-8")?])?;
    let mut table = String::new();
    for name in names {
        writeln!(table, "[functions.{name}]\ncommand = {command}\n")?;
    }
    Ok(table)
}

/// A running `durable dev`, which ends with this value.
pub(crate) struct Server {
    process: Child,
    url: String,
}

impl Server {
    pub(crate) fn start(program: &Path, settings: &Path, data: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["dev", "--port", "0", "--quiet"])
            .arg("--config")
            .arg(settings)
            .arg("--data")
            .arg(data)
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let messages = process.stderr.take().expect("standard error is piped");
        // From here on the process ends whatever happens.
        let mut server = Self { process, url: String::new() };
        server.url = announced_url(messages)?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Reads what the server says until it says where it is; the rest is shown.
fn announced_url(messages: ChildStderr) -> Result<String> {
    let mut lines = BufReader::new(messages).lines();
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let line = line.context("the messages of `durable dev` can't be read")?;
        if let Some((_, url)) = line.split_once("AWS_ENDPOINT_URL_LAMBDA=") {
            let url = url.to_owned();
            thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
            return Ok(url);
        }
        said.push(line);
    }
    anyhow::bail!("`durable dev` ended before it was ready:\n{}", said.join("\n"))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends its functions' processes only when it is asked to stop.
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_test_is_found_among_cargos_messages() {
        let of = |path: &str, executable: &str| {
            let message = format!(
                r#"{{"reason":"compiler-artifact","target":{{"src_path":"{path}"}},"executable":{executable}}}"#
            );
            test_program_in(&message, Path::new("/w/tests/aws/main.rs"))
        };
        assert_eq!(of("/w/tests/aws/main.rs", r#""/w/aws-1""#), Some(PathBuf::from("/w/aws-1")));
        assert_eq!(of("/w/tests/main.rs", r#""/w/main-1""#), None);
        assert_eq!(of("/w/tests/aws/main.rs", "null"), None);
        assert_eq!(test_program_in("warning: x", Path::new("/w")), None);
    }

    #[test]
    fn each_function_is_run_by_the_same_program() {
        let names = ["conformance-1-1".to_owned(), "conformance-echo".to_owned()];
        let table = function_table(&names, Path::new("/a b/bootstrap")).unwrap();
        let expected = "[functions.conformance-1-1]\ncommand = [\"/a b/bootstrap\"]\n\n\
                        [functions.conformance-echo]\ncommand = [\"/a b/bootstrap\"]\n\n";
        assert_eq!(table, expected);
    }
}
