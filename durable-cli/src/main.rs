//! The `durable` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    durable_cli::cli::main()
}
