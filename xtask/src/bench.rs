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
/// The bench that runs the callback handler as a process.
const WITH_HANDLER: &str = "callback_cold_start";
/// The benches that need boto3 or moto.
const WITH_PYTHON: [&str; 2] = ["callback", WITH_HANDLER];

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let runs_any_of = |some: &[&str]| {
        let benches = &arguments.benches;
        benches.is_empty() || benches.iter().any(|bench| some.contains(&bench.as_str()))
    };
    if runs_any_of(&WITH_FUNCTION) {
        build_function(["--package", "bench-bootstrap", "--features", "lambda"])?;
    }
    if runs_any_of(&[WITH_HANDLER]) {
        build_function(["--package", "workflows", "--features", "aws", "--bin", "callback"])?;
    }
    let mut cargo = Cargo::new(["bench", "--package", "bench"]);
    if runs_any_of(&WITH_PYTHON) {
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

/// Builds a function as functions are deployed.
fn build_function<const N: usize>(selection: [&str; N]) -> Result<()> {
    let cargo = Cargo::new(["build", "--profile", "function"]).arguments(selection);
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
