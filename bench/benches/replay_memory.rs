//! What the replay of recorded steps allocates, reading the envelope's JSON included.
//!
//! A program of its own, because counting slows down what it counts.

use bench::{Figure, history::Replayer};

fn main() {
    let replayer = Replayer::default();
    for steps in [1_000, 10_000, 50_000] {
        let envelope = replayer.record(steps);
        replayer.check(&envelope, steps);
        let counted = allocation_counter::measure(|| {
            std::hint::black_box(replayer.replay(&envelope));
        });
        let each = counted.count_total as f64 / steps as f64;
        let peak = (counted.bytes_max + envelope.len() as u64) as f64 / 1e6;
        if steps == 10_000 {
            Figure::new("allocations for each replayed step, of 10,000", each, "").at_most(5.0).report();
            Figure::new("peak memory of replaying 10,000 steps, envelope included", peak, "MB")
                .at_most(20.0)
                .report();
        } else {
            eprintln!("{steps} steps: {each:.3} allocations a step, peak {peak:.1} MB");
        }
    }
}
