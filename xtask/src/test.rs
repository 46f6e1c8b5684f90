//! `cargo xtask test`: what CI runs.

use std::time::{Duration, Instant};

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
    /// Lints, on every target of every crate.
    Clippy,
    /// All tests: unit, integration, compile-fail and documentation.
    Test,
    /// The tests of the Lambda transport, which the default build leaves out.
    Lambda,
    /// The documentation, with broken links as errors.
    Doc,
}

impl Stage {
    /// Cheapest first. Clippy goes before the tests: what it checks, the documentation needs too.
    const ALL: [Self; 5] = [Self::Fmt, Self::Clippy, Self::Test, Self::Lambda, Self::Doc];

    fn cargo(self) -> Cargo {
        match self {
            Self::Fmt => Cargo::new(["fmt", "--all", "--check"]),
            Self::Clippy => Cargo::new(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            Self::Test => Cargo::new(["test", "--workspace", "--no-fail-fast"]),
            Self::Lambda => Cargo::new([
                "test",
                "--package",
                "durable-runtime",
                "--features",
                "lambda",
                "--test",
                "lambda",
            ]),
            Self::Doc => {
                Cargo::new(["doc", "--workspace", "--no-deps"]).variable("RUSTDOCFLAGS", "-Dwarnings")
            }
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
            Stage::Test | Stage::Lambda => test(&cargo, counts.get_or_insert_default()),
            _ => cargo.run(),
        };
        eprintln!("==> {} in {}", if result.is_ok() { "done" } else { "failed" }, seconds(begun.elapsed()));
        result
    });
    match &result {
        Ok(()) => eprintln!("\nall stages passed in {}\n", seconds(begun.elapsed())),
        Err(error) => eprintln!("\nfailed: {error:#}"),
    }
    if let Some(Counts { passed, failed }) = counts {
        println!("{passed} passed, {failed} failed");
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
}

impl Counts {
    /// Adds what a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …` says.
    fn add(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in result.split([';', '.']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
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
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 42, failed: 2 });
    }
}
