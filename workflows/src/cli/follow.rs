//! Watches one workflow to its end, and asks for the decision on the way.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::{CliError, progress::Progress};
use crate::{
    host::{ExecutionView, Host, ServiceError, WorkflowView},
    ports::WorkflowId,
    research::{Approval, Status},
};

const REFRESH: Duration = Duration::from_millis(150);

/// Where the reviewer's decision comes from.
#[derive(Debug)]
pub(super) enum Answer {
    /// From the command line, in advance.
    Given(Approval),
    /// From the terminal, when the time has come.
    Ask,
    /// From another terminal, or over HTTP.
    Elsewhere,
    /// It was given, or is being asked for.
    Done,
}

/// How the watch ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The workflow has ended.
    Ended(Box<WorkflowView>),
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

type Question = JoinHandle<dialoguer::Result<Approval>>;

/// Shows what happens to a workflow until it ends or somebody interrupts.
pub(super) async fn follow(
    host: &Host,
    id: &WorkflowId,
    mut answer: Answer,
    progress: &mut Progress,
) -> Result<Ending, CliError> {
    let mut interrupted = std::pin::pin!(interrupt());
    let mut question: Option<Question> = None;
    loop {
        let view = host.service().execution(id).await?;
        if view.workflow.status.is_terminal() {
            progress.show(&view);
            return Ok(Ending::Ended(Box::new(view.workflow)));
        }
        if question.is_none() {
            progress.show(&view);
        }
        if view.workflow.status == Status::AwaitingApproval {
            (answer, question) = on_approval_due(host, &view, answer, question, progress).await?;
        }
        let asked = async {
            match &mut question {
                Some(question) => question.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut interrupted => return Ok(Ending::Interrupted),
            () = tokio::time::sleep(REFRESH) => {}
            reply = asked => {
                question = None;
                progress.resume();
                match reply {
                    Ok(Ok(approval)) => decide(host, id, approval, progress).await?,
                    // Ctrl-C at the question, or no terminal any more: the workflow waits on.
                    Ok(Err(_)) | Err(_) => return Ok(Ending::Interrupted),
                }
            }
        }
    }
}

async fn on_approval_due(
    host: &Host,
    view: &ExecutionView,
    answer: Answer,
    question: Option<Question>,
    progress: &mut Progress,
) -> Result<(Answer, Option<Question>), CliError> {
    let id = &view.workflow.workflow_id;
    match answer {
        Answer::Given(approval) => {
            decide(host, id, approval, progress).await?;
            Ok((Answer::Done, None))
        }
        Answer::Ask => {
            if let Some(url) = &view.workflow.review_url {
                progress.line(&format!("the analysis is ready for review: {url}"));
            }
            progress.pause();
            // Blocks on the terminal, so it gets a thread of its own.
            Ok((Answer::Done, Some(tokio::task::spawn_blocking(ask))))
        }
        Answer::Elsewhere => {
            if let Some(url) = &view.workflow.review_url {
                progress.line(&format!("the analysis is ready for review: {url}"));
            }
            let data = host.directory().root().display();
            progress.line(&format!(
                "waiting for a decision; from another terminal:  workflows approve {id} --data {data}"
            ));
            progress.line(&format!(
                "                                           or:  workflows reject {id} WHY --data {data}"
            ));
            Ok((Answer::Done, None))
        }
        Answer::Done => Ok((Answer::Done, question)),
    }
}

async fn decide(
    host: &Host,
    id: &WorkflowId,
    approval: Approval,
    progress: &Progress,
) -> Result<(), CliError> {
    match host.service().decide(id, approval).await {
        Ok(decision) => progress.line(&decision.message),
        // Decided elsewhere in the meantime, or before a restart: that decision stands.
        Err(ServiceError::Conflict(message)) => progress.line(&message),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn ask() -> dialoguer::Result<Approval> {
    let approved =
        dialoguer::Confirm::new().with_prompt("Approve the analysis and write the report?").interact()?;
    let prompt = if approved { "Comment (may be empty)" } else { "Why not (may be empty)" };
    let comment: String = dialoguer::Input::new().with_prompt(prompt).allow_empty(true).interact_text()?;
    Ok(Approval { approved, comment: Some(comment).filter(|comment| !comment.trim().is_empty()) })
}

/// Ready at Ctrl-C, or when the system asks the process to end. Once more, and the process ends at once:
/// nothing that was acknowledged is lost by that either.
pub(super) async fn interrupt() {
    wait_for_signal().await;
    tokio::spawn(async {
        wait_for_signal().await;
        std::process::exit(130);
    });
}

async fn wait_for_signal() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler Ctrl-C ends the process by itself.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = ctrl_c => {}
        () = terminate => {}
    }
}
