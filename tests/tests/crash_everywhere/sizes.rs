//! Results that are too large for their records.

use std::time::Duration;

use durable_runtime::prelude::*;
use durable_testing::{CrashEverywhere, effect};

#[durable_step]
async fn fill(n: usize) -> Result<String, Error> {
    effect(format!("fill {n}"));
    Ok(n.to_string().repeat(100 * 1024))
}

fn digest(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{}x{} ", &text[..1], text.len())).collect()
}

#[durable_execution]
async fn large_maps() -> Result<String, Error> {
    let nested = map(0..4, fill).await?;
    wait(Duration::from_secs(1)).await;
    let flat = map(4..8, fill).flat().await?;
    wait(Duration::from_secs(1)).await;
    Ok(digest(&nested) + &digest(&flat))
}

#[test]
fn large_results_of_maps() {
    let report = CrashEverywhere::new(large_maps, || ()).run();
    assert_eq!(report.effects.len(), 8);
    assert!(report.result.contains("7x102400"), "{}", report.result);
}

#[durable_execution]
async fn large_child() -> Result<String, Error> {
    Ok(fill(1).await? + &fill(2).await? + &fill(3).await?)
}

#[durable_execution]
async fn large_children() -> Result<String, Error> {
    let first = large_child().await?;
    let (left, right) = try_join!(large_child(), fill(4)).await?;
    wait(Duration::from_secs(1)).await;
    fill(5).await?;
    Ok(digest(&[first, left, right]))
}

#[test]
fn large_results_of_children_and_joins() {
    let report = CrashEverywhere::new(large_children, || ()).run();
    assert_eq!(report.effects.len(), 8);
    assert_eq!(report.result, "Ok(\"1x307200 1x307200 4x102400 \")");
}

#[durable_execution]
async fn large_result() -> Result<String, Error> {
    Ok(map(0..3, |_| step!("half a megabyte", { Ok::<_, Error>("m".repeat(500_000)) })).await?.concat())
}

#[durable_execution]
async fn measures_large_result() -> Result<usize, Error> {
    Ok(large_result().await?.len())
}

#[test]
fn a_child_result_larger_than_any_record() {
    assert_eq!(CrashEverywhere::new(measures_large_result, || ()).run().result, "Ok(1500000)");
}
