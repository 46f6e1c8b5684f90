//! `approve`, `reject`, `cancel`

use std::process::ExitCode;

use clap::Args;

use super::{
    CliError, Common,
    control::{Control, Decided},
    print,
};
use crate::{ports::WorkflowId, research::Approval};

/// Approve a workflow.
#[derive(Debug, Args)]
#[command(after_help = "Example: workflows approve ID --comment \"mention the costs\"")]
pub(super) struct ApproveArguments {
    /// The workflow's id, as `list` shows it
    id: String,
    /// Something for the record
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

/// Reject a workflow.
#[derive(Debug, Args)]
#[command(after_help = "Example: workflows reject ID \"too thin\"")]
pub(super) struct RejectArguments {
    /// The workflow's id, as `list` shows it
    id: String,
    /// Why
    reason: Option<String>,
}

/// Cancel a workflow.
#[derive(Debug, Args)]
pub(super) struct CancelArguments {
    /// The workflow's id, as `list` shows it
    id: String,
}

pub(super) async fn approve(common: &Common, arguments: ApproveArguments) -> Result<ExitCode, CliError> {
    decide(common, arguments.id, Approval { approved: true, comment: arguments.comment }).await
}

pub(super) async fn reject(common: &Common, arguments: RejectArguments) -> Result<ExitCode, CliError> {
    decide(common, arguments.id, Approval { approved: false, comment: arguments.reason }).await
}

async fn decide(common: &Common, id: String, approval: Approval) -> Result<ExitCode, CliError> {
    let control = Control::of(&common.data).await?;
    let decided = control.decide(&WorkflowId::named(id), approval).await;
    control.close().await;
    match decided? {
        Decided::Taken(decision) => {
            print(common, &decision, |decision| format!("{}: {}", decision.workflow_id, decision.message))?;
            Ok(ExitCode::SUCCESS)
        }
        Decided::Refused(message) => Err(CliError::failure(message)),
    }
}

pub(super) async fn cancel(common: &Common, arguments: &CancelArguments) -> Result<ExitCode, CliError> {
    let control = Control::of(&common.data).await?;
    let cancelled = control.cancel(&WorkflowId::named(&arguments.id)).await;
    control.close().await;
    print(common, &cancelled?, |workflow| format!("{}: {}", workflow.workflow_id, workflow.status))?;
    Ok(ExitCode::SUCCESS)
}
