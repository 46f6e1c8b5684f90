//! `dead-letters`

use std::process::ExitCode;

use clap::Args;

use super::{CliError, Common, control::Control, print};

/// Callbacks that could not be delivered, or not even be stored.
#[derive(Debug, Args)]
pub(super) struct DeadLettersArguments {
    /// Try to deliver them again
    #[arg(long)]
    redrive: bool,
}

pub(super) async fn run(common: &Common, arguments: &DeadLettersArguments) -> Result<ExitCode, CliError> {
    let control = Control::of(&common.data).await?;
    if arguments.redrive {
        let redriven = control.redrive().await;
        control.close().await;
        let redriven = redriven?;
        print(common, &redriven, |it| format!("{} delivered, {} remaining", it.delivered, it.remaining))?;
        return Ok(if redriven.remaining == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let letters = control.dead_letters().await;
    control.close().await;
    print(common, &letters?, |letters| {
        if letters.is_empty() {
            return "no dead letters".to_owned();
        }
        letters.iter().map(|letter| format!("{}  {}  {}\n", letter.at, letter.id, letter.reason)).collect()
    })?;
    Ok(ExitCode::SUCCESS)
}
