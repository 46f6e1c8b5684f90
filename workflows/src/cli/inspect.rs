//! `list` and `show`

use std::process::ExitCode;

use clap::Args;

use super::{CliError, Common, control::Control, print, render};
use crate::{
    ports::{ListQuery, WorkflowId},
    research::Status,
};

/// List workflows.
#[derive(Debug, Args)]
#[command(after_help = "Example: workflows list --status AWAITING_APPROVAL --json")]
pub(super) struct ListArguments {
    /// Only workflows in this status
    #[arg(long, value_parser = |text: &str| text.parse::<Status>())]
    status: Option<Status>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
    /// Where the page before ended, as it said
    #[arg(long)]
    cursor: Option<String>,
}

/// Show one workflow.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The workflow's id, as `list` shows it
    id: String,
}

pub(super) async fn list(common: &Common, arguments: ListArguments) -> Result<ExitCode, CliError> {
    let query =
        ListQuery { status: arguments.status, limit: usize::from(arguments.limit), cursor: arguments.cursor };
    let control = Control::of(&common.data).await?;
    let page = control.list(query).await;
    control.close().await;
    print(common, &page?, render::list)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn show(common: &Common, arguments: &ShowArguments) -> Result<ExitCode, CliError> {
    let control = Control::of(&common.data).await?;
    let execution = control.execution(&WorkflowId::named(&arguments.id)).await;
    control.close().await;
    print(common, &execution?, render::execution)?;
    Ok(ExitCode::SUCCESS)
}
