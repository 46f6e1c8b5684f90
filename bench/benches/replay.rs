//! How long one invocation takes to replay recorded steps, reading the envelope's JSON included.

use bench::{Figure, history::Replayer, timing::median_time};

/// Replays of each history; the median counts.
const RUNS: usize = 31;

fn main() {
    let replayer = Replayer::default();
    let mut per_step = Vec::new();
    for (steps, name, limit) in
        [(1_000, "1,000", None), (10_000, "10,000", Some(12.0)), (50_000, "50,000", None)]
    {
        let envelope = replayer.record(steps);
        replayer.check(&envelope, steps);
        let time = median_time(RUNS, || {
            std::hint::black_box(replayer.replay(std::hint::black_box(&envelope)));
        });
        let milliseconds = time.as_secs_f64() * 1e3;
        per_step.push(milliseconds / steps as f64);
        let figure =
            Figure::new(format!("replay of {name} recorded steps, JSON included"), milliseconds, "ms");
        limit.map_or(figure.clone(), |limit| figure.at_most(limit)).report();
    }
    // Not 1: the state of 50,000 steps outgrows the caches, and its pages are fresh on every replay. Anything
    // quadratic would show as 50.
    if let [short, .., long] = per_step[..] {
        Figure::new("a step of 50,000 against a step of 1,000", long / short, "×").at_most(1.5).report();
    }
}
