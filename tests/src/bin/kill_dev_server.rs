//! The `durable` command, for the campaign that kills the development server: a test program is only given the
//! programs of its own package.

fn main() -> std::process::ExitCode {
    durable_cli::cli::main()
}
