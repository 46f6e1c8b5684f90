//! Repeated measurements.

use std::time::{Duration, Instant};

/// The median time of `runs` calls, after one that warms up.
pub fn median_time(runs: usize, mut work: impl FnMut()) -> Duration {
    work();
    let times = (0..runs).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    median(times.collect())
}

/// The median; zero for nothing.
#[must_use]
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The median of `times` against `measures`, taken in turns; zero for nothing.
#[must_use]
pub fn median_ratio(times: &[Duration], measures: &[Duration]) -> f64 {
    let ratios = times.iter().zip(measures).map(|(time, measure)| time.div_duration_f64(*measure));
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or_default()
}
