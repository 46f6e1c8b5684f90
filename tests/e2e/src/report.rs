//! What became of the scenarios, as a table.

use std::{fmt, time::Duration};

use anyhow::Result;

/// What became of all scenarios.
#[derive(Debug, Default)]
pub struct Report(Vec<Row>);

#[derive(Debug)]
struct Row {
    group: &'static str,
    name: &'static str,
    time: Duration,
    problem: Option<String>,
}

impl Report {
    /// Notes what became of a scenario.
    pub fn note(&mut self, group: &'static str, name: &'static str, time: Duration, outcome: Result<()>) {
        let problem = outcome.err().map(|error| format!("{error:#}"));
        let verdict = if problem.is_some() { "FAILED" } else { "passed" };
        eprintln!("{name} {verdict} after {:.1} s", time.as_secs_f64());
        self.0.push(Row { group, name, time, problem });
    }

    /// How many scenarios failed.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.0.iter().filter(|row| row.problem.is_some()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10} {:<38} {:>8} {:>8}", "group", "scenario", "seconds", "")?;
        for row in &self.0 {
            let verdict = if row.problem.is_some() { "FAILED" } else { "passed" };
            let seconds = row.time.as_secs_f64();
            writeln!(f, "{:<10} {:<38} {seconds:>8.1} {verdict:>8}", row.group, row.name)?;
        }
        for row in &self.0 {
            if let Some(problem) = &row.problem {
                writeln!(f, "\n{} failed: {problem}", row.name)?;
            }
        }
        write!(f, "{} passed, {} failed", self.0.len() - self.failures(), self.failures())
    }
}
