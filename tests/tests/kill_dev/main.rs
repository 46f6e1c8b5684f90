//! Kills the development server, the processes of its functions, or both, at random moments under load, and holds them
//! to what they had promised:
//!
//! - Every start that was acknowledged is the execution that exists in the end.
//! - Every callback's result that was acknowledged is the one that the function gets.
//! - Every checkpoint that was acknowledged counts: a step whose end is recorded has no further effect.
//! - Every result that was given is the same for ever, and right.
//! - An at-most-once step has its effect at most once.
//! - All executions end, and no process outlives its server.
//!
//! All of that is seen from outside, by the REST API and by what the functions noted. A process whose server died is
//! killed in the midst of the attempt in hand: only what that did until then is exempt from "no further effect".

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

mod api;
mod clients;
mod evidence;
mod journal;
mod processes;
mod server;

use std::{path::Path, sync::Arc, time::Duration};

use clients::Clients;
use cross_tests::random::Random;
use evidence::Evidence;
use server::Server;
use tokio::time::sleep;

/// Executions in one data directory of a long run; each invokes another one.
const EXECUTIONS: u64 = 40;
/// The time between two kills, in milliseconds.
const SERVER_LIFE: std::ops::Range<u64> = 20..1_500;
const FUNCTION_LIFE: std::ops::Range<u64> = 20..300;
/// Executions take about 10 s when nothing is killed.
const PATIENCE: Duration = Duration::from_secs(180);
/// The system needs a moment to end processes, and a busy one a few.
const ORPHANS: Duration = Duration::from_secs(5);

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server,
    Function,
    Both,
}

#[tokio::test]
async fn killing_server_functions_or_both_loses_nothing_acknowledged_and_repeats_nothing_recorded() {
    let mut random = Random::new(0x5eed);
    for kind in [Kind::Server, Kind::Function, Kind::Both] {
        one_directory(kind, 10, 3, &mut random).await;
    }
}

#[tokio::test]
#[ignore = "long; run it by `cargo xtask campaign kill-dev --runs 100`"]
async fn campaign() {
    let number = |variable| std::env::var(variable).ok().and_then(|text| text.parse().ok());
    let seed = number("CAMPAIGN_SEED").unwrap_or(1);
    let kills = number("CAMPAIGN_RUNS").unwrap_or(100);
    println!("seed {seed}, {kills} kills of each kind");
    let mut random = Random::new(seed);
    for kind in [Kind::Server, Kind::Function, Kind::Both] {
        let (mut left, mut repeated) = (kills, 0);
        while left > 0 {
            let (struck, cut_off) = one_directory(kind, EXECUTIONS, left, &mut random).await;
            assert!(struck > 0, "everything ended before the first kill");
            left -= struck;
            repeated += cut_off;
        }
        println!("{kind:?}: {kills} kills survived, {repeated} cut-off attempts were made again");
        assert!(repeated > 0, "no kill hit between an effect and its record, so this proved little");
    }
}

/// Runs `executions` executions on a data directory to their end, with at most `kills` kills on the way. How many there
/// were, and how many attempts had their effect twice because they were cut off.
async fn one_directory(kind: Kind, executions: u64, kills: u64, random: &mut Random) -> (u64, usize) {
    // Stays behind when a check fails, as evidence.
    let folder = tempfile::Builder::new().prefix("kill-dev-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
    let folder = folder.unwrap().keep();
    println!("evidence in {}", folder.display());
    let mut server = Server::prepare(&folder);
    server.start().await;
    let clients = Arc::new(Clients::new(server.api(), &folder));
    let mut errands = Clients::start(&clients, executions, random);
    let mut evidence = Evidence::new(server.api(), Arc::clone(&clients), &folder);
    let mut struck = 0;
    let begun = tokio::time::Instant::now();
    while struck < kills {
        let life = if kind == Kind::Function { FUNCTION_LIFE } else { SERVER_LIFE };
        tokio::select! {
            biased;
            ended = errands.join_next() => match ended {
                Some(ended) => ended.unwrap(),
                None => break,
            },
            () = sleep(Duration::from_millis(random.below(life))) => {
                if strike(kind, &mut server, &folder, random).await {
                    struck += 1;
                    evidence.examine(server.incarnation()).await;
                }
            }
        }
        assert!(begun.elapsed() < PATIENCE * 4, "the executions do not end: {}", clients.missing(executions));
    }
    let rest = async {
        while let Some(ended) = errands.join_next().await {
            ended.unwrap();
        }
    };
    let ended = tokio::time::timeout(PATIENCE, rest).await;
    assert!(ended.is_ok(), "the executions did not end within {PATIENCE:?}: {}", clients.missing(executions));
    evidence.conclude(executions).await;
    server.kill();
    processes::all_end(&folder, ORPHANS).await;
    let repeated = evidence.repeated();
    println!("{kind:?}: a data directory survived {struck} kills, {repeated} attempts were made again");
    std::fs::remove_dir_all(&folder).unwrap();
    (struck, repeated)
}

/// Kills and, where it was the server, starts it again. False when there was nothing to kill.
async fn strike(kind: Kind, server: &mut Server, folder: &Path, random: &mut Random) -> bool {
    let functions = processes::functions(folder);
    match kind {
        Kind::Function => {
            if functions.is_empty() {
                return false;
            }
            let victim = random.below(0..functions.len() as u64);
            return processes::kill(functions[usize::try_from(victim).unwrap()]);
        }
        Kind::Server => server.kill(),
        Kind::Both => {
            server.kill();
            functions.into_iter().for_each(|function| {
                processes::kill(function);
            });
        }
    }
    server.start().await;
    true
}
