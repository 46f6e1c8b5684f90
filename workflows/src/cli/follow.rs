//! Watches one workflow to its end, and asks for the decision on the way.

use std::{path::Path, pin::Pin, time::Duration};

use super::{
    CliError,
    control::{Control, Decided},
    program,
    progress::Progress,
    question::{Question, ask},
    quoted,
    signals::interrupt,
};
use crate::{
    host::{ExecutionView, WorkflowView},
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
    /// The process that ran the workflow has gone.
    Lost,
}

/// One person's view of one workflow, whichever process runs it.
pub(super) struct Watch<'a> {
    pub(super) id: &'a WorkflowId,
    pub(super) data: &'a Path,
    pub(super) answer: Answer,
    pub(super) progress: Progress,
    question: Option<Question>,
    /// What was last said of a decision, which is not said again and again.
    said: Option<String>,
    /// One for all: a signal that comes while nobody follows is not lost.
    interrupted: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(id: &'a WorkflowId, data: &'a Path, answer: Answer, progress: Progress) -> Self {
        Self { id, data, answer, progress, question: None, said: None, interrupted: Box::pin(interrupt()) }
    }

    /// Shows what happens until the workflow ends or somebody interrupts.
    pub(super) async fn follow(&mut self, control: &Control) -> Result<Ending, CliError> {
        loop {
            let Some(view) = control.watched(self.id).await? else { return Ok(Ending::Lost) };
            let status = view.workflow.status;
            if status != Status::AwaitingApproval && self.question.take().is_some() {
                self.progress.resume();
                self.progress.line("\nit was decided elsewhere");
            }
            if self.question.is_none() {
                self.progress.show(&view);
            }
            if status.is_terminal() {
                return Ok(Ending::Ended(Box::new(view.workflow)));
            }
            if status == Status::AwaitingApproval {
                self.on_approval_due(control, &view).await?;
            }
            let asked = async {
                match &mut self.question {
                    Some(question) => question.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut self.interrupted => {
                    if self.question.is_some() {
                        // The prompt has the line.
                        self.progress.line("");
                    }
                    return Ok(Ending::Interrupted);
                }
                () = tokio::time::sleep(REFRESH) => {}
                reply = asked => {
                    self.question = None;
                    self.progress.resume();
                    match reply {
                        Ok(Ok(Some(approval))) => {
                            self.decide(control, approval).await?;
                        }
                        // No terminal any more: the workflow waits on.
                        Ok(Ok(None) | Err(_)) | Err(_) => {
                            self.progress.line("");
                            return Ok(Ending::Interrupted);
                        }
                    }
                }
            }
        }
    }

    async fn on_approval_due(&mut self, control: &Control, view: &ExecutionView) -> Result<(), CliError> {
        let answer = std::mem::replace(&mut self.answer, Answer::Done);
        if let (Answer::Ask | Answer::Elsewhere, Some(url)) = (&answer, &view.workflow.review_url) {
            self.progress.line(&format!("the analysis is ready for review: {url}"));
        }
        match answer {
            Answer::Given(approval) => {
                if !self.decide(control, approval.clone()).await? {
                    // Decided before, or not asked for yet after a restart: should it be due again, it is given again.
                    self.answer = Answer::Given(approval);
                }
            }
            Answer::Ask => {
                self.progress.pause();
                self.question = Some(ask());
            }
            Answer::Elsewhere => {
                let (program, id, data) = (program(), self.id, quoted(&self.data.display().to_string()));
                self.progress.line("waiting for a decision, which comes from another terminal:");
                self.progress.line(&format!("  {program} approve {id} --data {data}"));
                self.progress.line(&format!("  {program} reject {id} WHY --data {data}"));
            }
            Answer::Done => {}
        }
        Ok(())
    }

    /// Whether the decision counts. Another one may stand: made elsewhere in the meantime, or before a restart.
    async fn decide(&mut self, control: &Control, approval: Approval) -> Result<bool, CliError> {
        let decided = control.decide(self.id, approval).await?;
        let (counts, message) = match decided {
            Decided::Taken(decision) => (true, decision.message),
            Decided::Refused(message) => (false, message),
        };
        if self.said.as_ref() != Some(&message) {
            self.progress.line(&message);
            self.said = Some(message);
        }
        Ok(counts)
    }
}
