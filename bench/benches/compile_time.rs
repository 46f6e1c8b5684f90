//! What the macros cost while compiling: a crate with 60 steps and 60 executions, against the same code as plain
//! `async fn`s, for `cargo check` and for `cargo build --release`. Both in turns, because the machine's speed drifts.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use bench::{
    Figure,
    generated_crates::{Style, write},
    timing::{median, median_ratio},
};

/// Steps, and executions.
const PAIRS: usize = 60;
const ROUNDS: usize = 7;

/// One way of compiling.
struct Way {
    name: &'static str,
    arguments: &'static [&'static str],
    /// What it may take, against plain functions.
    limit: f64,
}

const WAYS: [Way; 2] = [
    Way { name: "cargo check", arguments: &["check"], limit: 1.4 },
    Way { name: "cargo build --release", arguments: &["build", "--release"], limit: 1.1 },
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let repository =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the package has no folder around it")?;
    // Kept from run to run, so that dependencies are compiled once.
    let folder = target()?.join("compile-time");
    let durable = write(&folder, repository, Style::Durable, PAIRS)?;
    let plain = write(&folder, repository, Style::Plain, PAIRS)?;
    // The versions of the repository.
    for root in [&durable, &plain] {
        std::fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock"))?;
    }
    for way in &WAYS {
        for root in [&durable, &plain] {
            compile(root, &folder, way)?;
        }
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(compile(&plain, &folder, way)?);
            with.push(compile(&durable, &folder, way)?);
        }
        let name = format!("{}, {PAIRS} steps and {PAIRS} executions", way.name);
        Figure::new(name, median(with.clone()).as_secs_f64(), "s").report();
        Figure::new(
            format!("{} against plain functions with a journal", way.name),
            median_ratio(&with, &without),
            "×",
        )
        .at_most(way.limit)
        .report();
    }
    Ok(())
}

/// The time that cargo takes for the crate alone: as if somebody had saved its file. Nothing is kept of earlier
/// compilations, which would hide a part of the work.
fn compile(root: &Path, folder: &Path, way: &Way) -> Result<Duration, Box<dyn std::error::Error>> {
    File::options().write(true).open(root.join("src/main.rs"))?.set_modified(SystemTime::now())?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root)
        .args(way.arguments)
        .args(["--quiet", "--target-dir"])
        .arg(folder.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let begun = Instant::now();
    let status = cargo.status()?;
    let took = begun.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{cargo:?} ended with {status}").into()) }
}

/// A bench lies in `<target>/release/deps`.
fn target() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let bench = std::env::current_exe()?;
    Ok(bench.ancestors().nth(3).ok_or("the bench is in no target folder")?.to_owned())
}
