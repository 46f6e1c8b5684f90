//! `cargo xtask test`: what CI runs.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::command::Cargo;

/// Which stages to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Stages to run, in this order; all of them when none is named.
    stages: Vec<Stage>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Stage {
    /// The formatting.
    Fmt,
    /// What is built without any feature.
    Check,
    /// Lints, on every target of every crate with every feature.
    Clippy,
    /// All tests: unit, integration, compile-fail and documentation.
    Test,
    /// AWS's requirements for durable execution SDKs, at the development server.
    Conformance,
    /// AWS's own clients and SDKs, at the development server.
    Interop,
    /// The applications as they are deployed, driven end to end.
    E2e,
    /// A function built by cargo-lambda, run on the development server.
    LambdaBuild,
    /// AWS's own checks of the deployment template.
    DeployCheck,
    /// The documentation, with broken links as errors.
    Doc,
}

impl Stage {
    /// Cheapest first. Clippy goes before the tests: what it checks, the documentation needs too.
    const ALL: [Self; 10] = [
        Self::Fmt,
        Self::Check,
        Self::Clippy,
        Self::Test,
        Self::Conformance,
        Self::Interop,
        Self::E2e,
        Self::LambdaBuild,
        Self::DeployCheck,
        Self::Doc,
    ];

    fn cargo(self) -> Cargo {
        match self {
            Self::Fmt => Cargo::new(["fmt", "--all", "--check"]),
            Self::Check => Cargo::new(["check", "--workspace"]),
            Self::Clippy => Cargo::new(["clippy", "--workspace", "--all-targets", "--all-features"])
                .arguments(["--", "-D", "warnings"]),
            Self::Test => Cargo::new(["test", "--workspace", "--all-features", "--no-fail-fast"]),
            Self::Conformance => Cargo::new(["xtask", "conformance"]),
            Self::Interop => Cargo::new(["xtask", "interop"]),
            Self::E2e => Cargo::new(["xtask", "e2e"]),
            Self::LambdaBuild => Cargo::new(["xtask", "lambda-build"]),
            Self::DeployCheck => Cargo::new(["xtask", "deploy-check"]),
            Self::Doc => Cargo::new(["doc", "--workspace", "--all-features", "--no-deps"])
                .variable("RUSTDOCFLAGS", "-Dwarnings"),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let stages = if arguments.stages.is_empty() { &Stage::ALL[..] } else { &arguments.stages };
    let mut counts = None;
    let begun = Instant::now();
    let result = stages.iter().try_for_each(|stage| {
        let cargo = stage.cargo();
        eprintln!("\n==> {cargo}");
        let begun = Instant::now();
        let result = match stage {
            Stage::Test | Stage::Interop | Stage::E2e => test(&cargo, counts.get_or_insert_default()),
            _ => cargo.run(),
        };
        eprintln!("==> {} in {}", if result.is_ok() { "done" } else { "failed" }, seconds(begun.elapsed()));
        result
    });
    match &result {
        Ok(()) => eprintln!("\nall stages passed in {}\n", seconds(begun.elapsed())),
        Err(error) => eprintln!("\nfailed: {error:#}"),
    }
    if let Some(counts) = counts {
        println!("{counts}");
    }
    if result.is_err() {
        // The error was said above, so that the counts are the last line.
        std::process::exit(1);
    }
    Ok(())
}

fn test(cargo: &Cargo, counts: &mut Counts) -> Result<()> {
    let status = cargo.lines(|line| {
        println!("{line}");
        counts.add(line);
    })?;
    cargo.check(status).context("not all tests passed")
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The tests of all test programs together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    /// What this machine can't run, such as functions in a language that is not installed.
    skipped: u64,
}

impl Counts {
    /// Adds what a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …` says, or one of pytest's such
    /// as `=== 12 passed, 1 skipped in 2.50s ===`.
    fn add(&mut self, line: &str) {
        let line = line.trim();
        let pytest = line.starts_with("===") && line.ends_with('=');
        let Some(result) =
            line.strip_prefix("test result: ").or_else(|| pytest.then(|| line.trim_matches('=')))
        else {
            return;
        };
        for part in result.split([';', '.', ',']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(outcome)) = (words.next().map(str::parse::<u64>), words.next())
            else {
                continue;
            };
            match outcome {
                "passed" => self.passed += number,
                // An error is a test that could not even begin.
                "failed" | "error" | "errors" => self.failed += number,
                "skipped" => self.skipped += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_test_programs_are_summed() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "test a_test_with_7_passed ... ok",
            "test result: FAILED. 30 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
            "============ test session starts ============",
            "=========== 8 passed, 3 skipped in 12.06s (0:00:12) ===========",
            "===== 1 failed, 10 passed, 1 warning, 1 error in 0.10s =====",
            "===== no tests ran in 0.01s =====",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 60, failed: 4, skipped: 3 });
        assert_eq!(counts.to_string(), "60 passed, 4 failed, 3 skipped");
        assert_eq!(Counts { passed: 1, ..Counts::default() }.to_string(), "1 passed, 0 failed");
    }
}
