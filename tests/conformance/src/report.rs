//! What became of all trials, by suite.

use std::{collections::BTreeMap, fmt};

use anyhow::Result;

use crate::judge::{Requirement, Verdict};

/// Requirements that the DSL does not satisfy on purpose, each with its reason.
pub const DECLARED: &[(&str, &str)] = &[];

/// What became of one requirement.
#[derive(Debug)]
enum Outcome {
    Passed,
    Failed(String),
    /// Failed, and the suite lets it.
    Tolerated(String),
    Declared(&'static str),
}

/// What became of all requirements.
#[derive(Debug, Default)]
pub struct Report {
    outcomes: Vec<(String, String, Outcome)>,
    without_logs: Vec<String>,
}

impl Report {
    /// Notes what became of a requirement.
    pub fn note(&mut self, requirement: &Requirement, verdict: Result<Verdict>) {
        if verdict.as_ref().is_ok_and(|verdict| verdict.logs_unknown) {
            self.without_logs.push(requirement.id.clone());
        }
        let declared = DECLARED.iter().find(|(id, _)| *id == requirement.id).map(|(_, reason)| *reason);
        let outcome = match (problem(verdict), declared) {
            (None, None) => Outcome::Passed,
            (None, Some(_)) => Outcome::Failed("it is met, so it must not be declared as not met".to_owned()),
            (Some(_), Some(reason)) => Outcome::Declared(reason),
            (Some(problem), None) if requirement.file.optional => Outcome::Tolerated(problem),
            (Some(problem), None) => Outcome::Failed(problem),
        };
        self.outcomes.push((requirement.suite.clone(), requirement.id.clone(), outcome));
    }

    /// How many requirements fail without excuse.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.outcomes.iter().filter(|(.., outcome)| matches!(outcome, Outcome::Failed(_))).count()
    }
}

fn problem(verdict: Result<Verdict>) -> Option<String> {
    match verdict {
        Ok(verdict) if verdict.is_met() => None,
        Ok(verdict) => {
            Some(format!("{}\n    events: {}", verdict.mismatches.join("\n    "), verdict.events.join(" ")))
        }
        Err(error) => Some(format!("{error:#}")),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut suites: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for (suite, id, outcome) in &self.outcomes {
            let [passed, failed, declared] = suites.entry(suite).or_default();
            match outcome {
                Outcome::Passed => *passed += 1,
                Outcome::Failed(problem) => {
                    *failed += 1;
                    writeln!(f, "{id} fails: {problem}")?;
                }
                Outcome::Tolerated(problem) => {
                    *failed += 1;
                    writeln!(f, "{id} fails, but is optional: {problem}")?;
                }
                Outcome::Declared(reason) => {
                    *declared += 1;
                    writeln!(f, "{id} is not met on purpose: {reason}")?;
                }
            }
        }
        let mut total = [0; 3];
        writeln!(f, "{:<20} {:>6} {:>6} {:>8}", "suite", "passed", "failed", "declared")?;
        for (suite, counts) in suites {
            for (total, count) in total.iter_mut().zip(counts) {
                *total += count;
            }
            write_row(f, suite, counts)?;
        }
        write_row(f, "all", total)?;
        if !self.without_logs.is_empty() {
            writeln!(f, "logs were not looked at: {}", self.without_logs.join(", "))?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, [passed, failed, declared]: [usize; 3]) -> fmt::Result {
    writeln!(f, "{name:<20} {passed:>6} {failed:>6} {declared:>8}")
}
