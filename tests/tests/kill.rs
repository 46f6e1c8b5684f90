//! Kills a process that runs an engine, at random moments, and holds it to what it had promised.
//!
//! - Every start that was acknowledged is the execution that exists in the end.
//! - Every result that was given is the same for ever, and right.
//! - An attempt whose end is recorded is never made again; one that was cut off is made again.
//! - An at-most-once step has its effect at most once.
//! - All executions end.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod kill {
    pub(crate) mod evidence;
}

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use cross_tests::random::Random;
use kill::evidence::Evidence;

/// Executions in one database.
const EXECUTIONS: u64 = 50;
/// The moments of a kill, counted from the start of the process.
const LIFE: std::ops::Range<u64> = 20..700;
/// An execution of the victim takes about 5 s when nothing kills it.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn killing_the_process_loses_nothing_acknowledged_and_repeats_nothing_recorded() {
    strike(5, 0x5eed).await;
}

#[tokio::test]
#[ignore = "long; run it by `cargo xtask campaign kill --runs 200`"]
async fn campaign() {
    let number = |variable| std::env::var(variable).ok().and_then(|text| text.parse().ok());
    let seed = number("CAMPAIGN_SEED").unwrap_or(1);
    strike(number("CAMPAIGN_RUNS").unwrap_or(200), seed).await;
}

/// Kills processes `kills` times, on as many databases as it takes.
async fn strike(kills: u64, seed: u64) {
    println!("seed {seed}, {kills} kills");
    let mut random = Random::new(seed);
    let mut left = kills;
    let mut repeated = 0;
    while left > 0 {
        // Stays behind when a check fails, as evidence.
        let folder = tempfile::Builder::new().prefix("kill-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.unwrap().keep();
        let (struck, cut_off) = one_database(&folder, left, &mut random).await;
        left -= struck;
        repeated += cut_off;
        println!(
            "a database survived {struck} kills, {cut_off} cut-off attempts were made again; {left} kills left"
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
    assert!(repeated > 0, "no kill hit between an effect and its record, so this proved little");
}

/// Runs the executions of one database to their end, with at most `kills` kills on the way. How many there were,
/// and how many attempts had their effect twice because they were cut off.
async fn one_database(folder: &Path, kills: u64, random: &mut Random) -> (u64, usize) {
    println!("evidence in {}", folder.display());
    let mut evidence = Evidence::new(folder, EXECUTIONS);
    let mut struck = 0;
    loop {
        let incarnation = u32::try_from(struck).unwrap();
        let mut victim = Victim::start(folder, incarnation);
        let life = if struck < kills { Duration::from_millis(random.below(LIFE)) } else { PATIENCE };
        match victim.end_within(life) {
            Some(status) => {
                assert!(status.success(), "incarnation {incarnation} failed by itself: {status}");
                break;
            }
            None => assert!(struck < kills, "the executions did not end within {PATIENCE:?}"),
        }
        victim.kill();
        struck += 1;
        evidence.examine(incarnation).await;
    }
    evidence.conclude().await;
    (struck, evidence.repeated())
}

struct Victim(Child);

impl Victim {
    fn start(folder: &Path, incarnation: u32) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_kill_victim"));
        let arguments = [incarnation.to_string(), EXECUTIONS.to_string()];
        Self(Command::new(program).arg(folder).args(arguments).spawn().unwrap())
    }

    /// How the process ended by itself, if it did so in time.
    fn end_within(&mut self, life: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < life {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            // Another process's life is the one thing that can't be waited for with a limit in std.
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// SIGKILL, on Unix.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // Fails when it has ended, which is what this is for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
