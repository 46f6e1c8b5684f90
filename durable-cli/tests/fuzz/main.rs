//! Sends the server whatever it should not be sent, while good clients use it, and holds it to this:
//!
//! - Every answer is a success or a refusal in the service's shape, or the connection is closed.
//! - The process lives, nothing panics, and what good clients do works as always.
//! - What is refused changes nothing: in the end there are the executions that good requests made, as they made them.
//! - Memory, file descriptors and connections do not grow.
//!
//! A case is repeated by its seed and number: `CAMPAIGN_SEED=1 CAMPAIGN_CASE=17`.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON answers `null` for what is absent, and a test stops at the first surprise"
)]

mod api;
mod json;
mod oracle;
mod random;
mod request;
mod rest;
mod runtime;
mod server;
mod wire;
mod workload;
mod world;

use std::{
    env,
    ops::Range,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use durable_engine::{Engine, ListFilter};

use crate::{
    random::Random,
    server::{Server, Usage},
    workload::Good,
    world::{Books, World},
};

/// Clients that misbehave at the same time.
const CLIENTS: u64 = 4;
/// How long the server waits for clients that say nothing, and some more.
const SERVERS_PATIENCE: Duration = Duration::from_secs(75);
/// What the process may hold more in the end than after its first cases: SQLite's page caches, as the database grows,
/// and the processes of functions.
const GROWTH: Usage = Usage { memory: 32 * 1024, descriptors: 64 };

#[test]
fn whatever_is_sent_is_answered_in_the_services_shape_and_changes_nothing() {
    attack(Duration::from_secs(4), 1, 0..u64::MAX);
}

#[test]
#[ignore = "long; run it by `cargo xtask campaign fuzz --seconds 600`"]
fn campaign() {
    let number = |variable| env::var(variable).ok().and_then(|text| text.parse().ok());
    let seconds = number("CAMPAIGN_SECONDS").unwrap_or(600);
    let cases = number("CAMPAIGN_CASE").map_or(0..u64::MAX, |case| case..case + 1);
    attack(Duration::from_secs(seconds), number("CAMPAIGN_SEED").unwrap_or(1), cases);
}

/// Runs cases for `time`, or all of `cases`.
fn attack(time: Duration, seed: u64, cases: Range<u64>) {
    println!("seed {seed}, {} seconds", time.as_secs());
    // Stays behind when a check fails, as evidence.
    let folder =
        tempfile::Builder::new().prefix("fuzz-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
    println!("evidence in {}", folder.display());
    let mut server = Server::start(&folder);
    let world = World::new(server.address, &folder);

    let begun = Instant::now();
    let (case, over, problem) = (AtomicU64::new(cases.start), AtomicBool::new(false), Mutex::new(None));
    let fail = |found: String| {
        problem.lock().unwrap().get_or_insert(found);
        over.store(true, Ordering::Relaxed);
    };
    let (good, first, middle) = std::thread::scope(|scope| {
        let good = scope.spawn(|| workload::run(&world, &over));
        let client = || {
            while !over.load(Ordering::Relaxed) {
                let number = case.fetch_add(1, Ordering::Relaxed);
                if number >= cases.end {
                    return;
                }
                if let Err(found) = run_case(&world, seed, number) {
                    fail(format!("CAMPAIGN_SEED={seed} CAMPAIGN_CASE={number}: {found}"));
                }
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let (mut first, mut middle) = (None, None);
        while clients.iter().any(|client| !client.is_finished()) {
            std::thread::sleep(Duration::from_millis(100));
            server.check().unwrap_or_else(fail);
            if begun.elapsed() > time / 5 {
                first.get_or_insert_with(|| server.usage());
            }
            if begun.elapsed() > time / 2 {
                middle.get_or_insert_with(|| server.usage());
            }
            if begun.elapsed() > time {
                over.store(true, Ordering::Relaxed);
            }
        }
        over.store(true, Ordering::Relaxed);
        (good.join(), first, middle)
    });
    if let Some(problem) = problem.into_inner().unwrap() {
        panic!("{problem}");
    }
    let good = good.expect("good clients are served as always");
    server.check().unwrap();
    let closed = world.hang_up(SERVERS_PATIENCE).unwrap();
    world.check_exhibits().unwrap();
    let last = settled(&server, first);
    println!(
        "{} cases, {} good executions, {closed} slow connections closed; kB and descriptors after a fifth, \
         after half and in the end: {first:?}, {middle:?}, {last:?}",
        case.load(Ordering::Relaxed),
        good.len()
    );
    server.stop();
    check_database(&folder.join("data/executions.db"), world.books(), &good);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn run_case(world: &World, seed: u64, number: u64) -> Result<(), String> {
    let mut random = Random::of_case(seed, number);
    // One client at a time is the runtime; the others would take its invocations.
    static RUNTIME: Mutex<()> = Mutex::new(());
    match random.below(16) {
        0 | 1 => runtime::forged(world, &mut random),
        2 => match RUNTIME.try_lock() {
            Ok(_only) => runtime::own(world, &mut random, number),
            Err(_) => Ok(()),
        },
        _ => rest::case(world, &mut random),
    }
}

/// What the process holds once everything that was begun has ended; fails when that is more than in the beginning.
fn settled(server: &Server, first: Option<Usage>) -> Usage {
    let Some(first) = first else { return server.usage() };
    server::until("memory and descriptors are what they were", || {
        let now = server.usage();
        let memory = now.memory <= first.memory + GROWTH.memory;
        let descriptors = now.descriptors <= first.descriptors + GROWTH.descriptors;
        if !(memory && descriptors) {
            println!("{now:?} after {first:?}");
            std::thread::sleep(Duration::from_secs(1));
        }
        (memory && descriptors).then_some(now)
    })
}

/// Reads the database that the server left: it holds what good requests made, and nothing else.
fn check_database(path: &Path, books: Books, good: &[Good]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = Engine::builder().sqlite(path).open().unwrap();
        let mut found = Vec::new();
        let mut filter = ListFilter::default();
        loop {
            let page = engine.list(filter.clone()).await.unwrap();
            found.extend(page.executions.into_iter().map(|execution| (execution.arn, execution.status)));
            match page.next {
                Some(next) => filter.marker = Some(next),
                None => break,
            }
        }
        let arns: std::collections::BTreeSet<_> = found.iter().map(|(arn, _)| arn.clone()).collect();
        for started in &books.started {
            assert!(arns.contains(started), "{started} was started and is not stored");
        }
        let unknown: Vec<_> =
            arns.difference(&books.started).filter(|arn| !good.iter().any(|g| &g.arn == *arn)).collect();
        assert!(
            unknown.len() <= books.perhaps,
            "{} executions that nobody started, of {} starts without an answer: {unknown:?}",
            unknown.len(),
            books.perhaps
        );
        for unknown in unknown {
            assert!(unknown.contains(":function:open:"), "nobody started {unknown}");
        }
        for good in good {
            let operations = engine.operations(&good.arn).await.unwrap();
            assert_eq!(operations.len(), good.operations, "{}", good.arn);
        }
        engine.shutdown(Duration::ZERO).await;
    });
}
