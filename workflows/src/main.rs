//! `workflows`: research from the command line, on this machine.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = workflows::cli::Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(workflows::cli::run(arguments));
    // A question at the terminal that nobody answered must not hold the process.
    runtime.shutdown_background();
    code
}
