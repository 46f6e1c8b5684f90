//! Set-up and checks of the workspace: `cargo xtask test`, `cargo xtask bench`, `cargo xtask campaign`.
//!
//! Needs cargo and a C compiler; the tests by AWS's clients need Python, too.

mod bench;
mod campaign;
mod command;
mod conformance;
mod deploy;
mod e2e;
mod figures;
mod interop;
mod lambda_build;
mod python;
mod readme;
mod test;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Checks, benches and long campaigns of this workspace"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that CI checks, or only some of its stages.
    Test(test::Arguments),
    /// The figures of the README, measured in release.
    Bench(bench::Arguments),
    /// A long randomised campaign, such as 200 kills at random moments.
    Campaign(campaign::Arguments),
    /// AWS's requirements for durable execution SDKs, at the development server.
    Conformance(conformance::Arguments),
    /// AWS's own clients and SDKs, at the development server.
    Interop(interop::Arguments),
    /// The applications as they are deployed, driven end to end on this machine.
    E2e(e2e::Arguments),
    /// A function built by cargo-lambda, run on the development server.
    LambdaBuild,
    /// AWS's own checks of the deployment template.
    DeployCheck,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Campaign(arguments) => campaign::run(&arguments),
        Task::Conformance(arguments) => conformance::run(&arguments),
        Task::Interop(arguments) => interop::run(&arguments),
        Task::E2e(arguments) => e2e::run(&arguments),
        Task::LambdaBuild => lambda_build::run(),
        Task::DeployCheck => deploy::check(),
    }
}
