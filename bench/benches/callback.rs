//! What a callback costs, from its request to its answer, once it is on record and delivered: our handler against one
//! of the same contract in Python, both on this machine, in turns.
//!
//! `BENCH_PYTHON` is an interpreter with boto3 and moto; `cargo xtask bench` makes one.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bench::{
    Figure,
    callbacks::{Failure, Ours, Pythons, client, send},
    machine,
    timing::median,
};
use tokio::task::JoinSet;

const CONCURRENT: usize = 32;
const ROUNDS: usize = 3;
/// Callbacks one after the other, and at the same time, of each round.
const OURS: (usize, usize) = (200, 2000);
const PYTHONS: (usize, usize) = (50, 200);
const WARM_UP: usize = 50;

#[derive(Default)]
struct Measured {
    alone: Vec<Duration>,
    sent: usize,
    elapsed: Duration,
}

impl Measured {
    fn each_second(&self) -> f64 {
        self.sent as f64 / self.elapsed.as_secs_f64()
    }

    async fn round(&mut self, url: &str, alone: &[String], together: Vec<String>) -> Result<(), Failure> {
        let client = client()?;
        for token in alone {
            let begun = Instant::now();
            send(&client, url, token).await?;
            self.alone.push(begun.elapsed());
        }
        self.sent += together.len();
        let left = Arc::new(Mutex::new(together));
        let begun = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..CONCURRENT {
            let (left, client, url) = (Arc::clone(&left), client.clone(), url.to_owned());
            senders.spawn(async move {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(token) = next else { return Ok::<(), Failure>(()) };
                    send(&client, &url, &token).await?;
                }
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender??;
        }
        self.elapsed += begun.elapsed();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let python = std::env::var_os("BENCH_PYTHON").map(PathBuf::from);
    let python = python.ok_or("BENCH_PYTHON is not set; run `cargo xtask bench callback`")?;
    let folder = machine::scratch()?;
    let directories = [folder.path().join("ours"), folder.path().join("python")];
    directories.iter().try_for_each(std::fs::create_dir)?;
    let [our_directory, python_directory] = directories;
    let (ours, pythons) =
        (Ours::start(&our_directory).await?, Pythons::start(&python, &python_directory).await?);
    let (mut our, mut theirs) = (Measured::default(), Measured::default());
    Measured::default().round(&ours.url, &ours.tokens(WARM_UP).await?, Vec::new()).await?;
    Measured::default().round(&pythons.url, &pythons.tokens(WARM_UP).await?, Vec::new()).await?;
    for _ in 0..ROUNDS {
        let (alone, together) = (ours.tokens(OURS.0).await?, ours.tokens(OURS.1).await?);
        our.round(&ours.url, &alone, together).await?;
        let (alone, together) = (pythons.tokens(PYTHONS.0).await?, pythons.tokens(PYTHONS.1).await?);
        theirs.round(&pythons.url, &alone, together).await?;
    }

    let throughput = (our.each_second(), theirs.each_second());
    let p50 = (median(our.alone), median(theirs.alone));
    let of = format!("callbacks, {CONCURRENT} senders");
    Figure::new(format!("{of}, delivered a second"), throughput.0, "").report();
    Figure::new(format!("{of}, delivered a second by Python"), throughput.1, "").report();
    Figure::new(format!("{of}, Python's throughput against ours"), throughput.1 / throughput.0, "×")
        .at_most(0.1)
        .report();
    Figure::new("callback, p50 from request to answer", p50.0.as_secs_f64() * 1e3, "ms").report();
    Figure::new("callback, p50 from request to answer by Python", p50.1.as_secs_f64() * 1e3, "ms").report();
    Figure::new("callback, our p50 against Python's", p50.0.div_duration_f64(p50.1), "×")
        .at_most(0.1)
        .report();
    Ok(())
}
