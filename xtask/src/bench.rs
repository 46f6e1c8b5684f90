//! `cargo xtask bench`: measures the figures of the README.

use std::fs;

use anyhow::{Result, bail};

use crate::{
    command::Cargo,
    figures::{Figure, table},
    python::venv,
    readme,
};

/// Which benches to run and what to do with their figures.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Benches to run, by file name in `bench/benches`; all of them when none is named.
    benches: Vec<String>,
    /// Write the figures into the README.
    #[arg(long, conflicts_with = "benches")]
    write: bool,
}

/// The benches that run a function as a process.
const WITH_FUNCTION: [&str; 2] = ["cold_start", "dev_server"];
/// The bench that measures against Python.
const WITH_PYTHON: &str = "callback";

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let needs_function = |bench: &String| WITH_FUNCTION.contains(&bench.as_str());
    if arguments.benches.is_empty() || arguments.benches.iter().any(needs_function) {
        build_function()?;
    }
    let mut cargo = Cargo::new(["bench", "--package", "bench"]);
    if arguments.benches.is_empty() || arguments.benches.iter().any(|bench| bench == WITH_PYTHON) {
        let venv = venv("moto", "tests/e2e/moto/requirements.txt")?;
        cargo = cargo.variable("BENCH_PYTHON", venv.program("python").display().to_string());
    }
    for bench in &arguments.benches {
        cargo = cargo.arguments(["--bench", bench]);
    }
    eprintln!("==> {cargo}");
    let mut figures = Vec::new();
    let status = cargo.lines(|line| match Figure::parse(line) {
        Some(figure) => figures.push(figure),
        None => println!("{line}"),
    })?;
    cargo.check(status)?;
    if figures.is_empty() {
        bail!("`{cargo}` printed no figures");
    }
    let table = table(&figures);
    println!("\n{table}\n{}", machine());
    if arguments.write {
        readme::replace_block("figures", &format!("{table}\n{}\n", machine()))?;
        println!("\nREADME.md has these figures now.");
    }
    let missed = figures.iter().filter(|figure| !figure.is_ok()).count();
    if missed > 0 {
        bail!("{missed} of {} figures are above what is required", figures.len());
    }
    Ok(())
}

/// Builds the function as functions are deployed.
fn build_function() -> Result<()> {
    let cargo = Cargo::new(["build", "--profile", "lambda", "--package", "bench-bootstrap"]);
    let cargo = cargo.arguments(["--features", "lambda"]);
    eprintln!("==> {cargo}");
    cargo.run()
}

/// Figures mean nothing without the machine they were measured on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cpu = cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("Measured with `cargo xtask bench` on {cores} cores of {cpu}, {}.", std::env::consts::OS)
}
