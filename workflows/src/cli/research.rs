//! `research`

use std::{path::Path, process::ExitCode, time::SystemTime};

use clap::Args;
use durable_runtime::protocol::Timestamp;

use super::{
    CliError, Common,
    agents::AgentOptions,
    attach::{Wanted, attach},
    control::Control,
    follow::{Answer, Ending, Watch},
    is_interactive, print, program,
    progress::Progress,
    quoted,
};
use crate::{
    config::Config,
    host::WorkflowView,
    ports::WorkflowId,
    research::{Approval, Depth, Parameters, ResearchInput, Status},
};

/// Research a topic.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ResearchArguments {
    /// What to research; with --resume, which unfinished workflow to go on with (the newest by default)
    #[arg(required_unless_present = "resume")]
    topic: Option<String>,
    /// How deep to dig: basic, standard, comprehensive
    #[arg(long, value_parser = |text: &str| text.parse::<Depth>())]
    depth: Option<Depth>,
    /// Which kinds of source to prefer; may be repeated
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
    /// The most words that the report may have, 100 to 50000
    #[arg(long, value_name = "WORDS", allow_negative_numbers = true)]
    word_limit: Option<u32>,
    /// Go on with a workflow that has not ended; no finished step runs again
    #[arg(long, conflicts_with_all = ["depth", "sources", "word_limit"])]
    resume: bool,
    /// Approve the analysis in advance, with a comment if you like
    #[arg(long, value_name = "COMMENT", num_args = 0..=1, default_missing_value = "", require_equals = true)]
    approve: Option<String>,
    /// Reject the analysis in advance
    #[arg(long, value_name = "WHY", conflicts_with = "approve")]
    reject: Option<String>,
    #[command(flatten)]
    agents: AgentOptions,
}

const EXAMPLES: &str = "\
Examples:
  workflows research \"structured concurrency\"
  workflows research \"structured concurrency\" --corpus ~/notes --approve --word-limit 800
  workflows research \"structured concurrency\" --resume
  workflows research \"structured concurrency\" --reject=\"too thin\"";

pub(super) async fn run(common: &Common, arguments: ResearchArguments) -> Result<ExitCode, CliError> {
    // Whatever is wrong with the request is said before anything is written.
    let parameters =
        Parameters { depth: arguments.depth, sources: arguments.sources, word_limit: arguments.word_limit };
    let input = arguments.topic.as_deref().map(|topic| ResearchInput::new(topic, parameters)).transpose();
    let input = input.map_err(CliError::usage)?;
    let resumes = arguments.resume;
    let wanted = Wanted {
        data: &common.data,
        config: Config::from_env()?,
        given: arguments.agents.checked()?,
        resumes,
    };
    let answer = answer(arguments.approve, arguments.reject);

    let begun = Timestamp::from(SystemTime::now());
    let mut control = attach(&wanted).await?;
    let mut progress = Progress::new();
    let id = match chosen(&control, input.as_ref(), resumes, &progress).await {
        Ok(id) => id,
        Err(error) => {
            progress.pause();
            control.close().await;
            return Err(error);
        }
    };
    let data = common.data.canonicalize()?;
    progress.line(&introduction(&control, &id, &data, resumes));
    let mut watch = Watch::new(&id, &data, answer, progress);
    if resumes && let Ok(view) = control.execution(&id).await {
        watch.progress.skip_finished(&view, begun);
    }
    let ending = loop {
        match watch.follow(&control).await {
            Ok(Ending::Lost) => {
                control.close().await;
                watch.progress.line("the process that ran this workflow has ended: going on without it");
                // What the workflow began with stays.
                control = attach(&Wanted { resumes: true, ..wanted.clone() }).await?;
            }
            other => break other,
        }
    };
    let interrupted = matches!(ending, Ok(Ending::Interrupted));
    let is_remote = matches!(control, Control::Remote(_));
    if interrupted && !is_remote {
        watch.progress.line("stopping; everything up to here is on disk");
    }
    watch.progress.pause();
    control.close().await;
    match ending? {
        Ending::Ended(workflow) => report(common, &workflow),
        Ending::Interrupted | Ending::Lost => {
            let hint = resume_command(common, arguments.topic.as_deref());
            watch.progress.line(&if is_remote {
                format!("the workflow goes on in the other process; to follow it again:  {hint}")
            } else {
                format!("to go on:  {hint}")
            });
            Ok(ExitCode::from(130))
        }
    }
}

fn answer(approve: Option<String>, reject: Option<String>) -> Answer {
    match (approve, reject) {
        (Some(comment), _) => {
            let comment = Some(comment).filter(|comment| !comment.trim().is_empty());
            Answer::Given(Approval { approved: true, comment })
        }
        (None, Some(reason)) => Answer::Given(Approval { approved: false, comment: Some(reason) }),
        (None, None) if is_interactive() => Answer::Ask,
        (None, None) => Answer::Elsewhere,
    }
}

/// Which workflow it is, where its data lies, and whose agents work on it.
fn introduction(control: &Control, id: &WorkflowId, data: &Path, resumes: bool) -> String {
    let mut text = format!("workflow {id}, data in {}", data.display());
    match control {
        Control::Remote(_) => text.push_str("; another process runs it"),
        Control::Local(_) if resumes => {
            if let Some(flags) = AgentOptions::remembered_in(data).as_flags() {
                text.push_str(&format!("; {flags}"));
            }
        }
        Control::Local(_) => {}
    }
    text
}

fn report(common: &Common, workflow: &WorkflowView) -> Result<ExitCode, CliError> {
    print(common, workflow, |workflow| match workflow.status {
        Status::Completed => {
            let path = workflow.report_path.as_deref().unwrap_or("(no report on record)");
            format!("report: {path}")
        }
        Status::Rejected => {
            let comment = workflow.comment.as_deref().unwrap_or("no comment");
            format!("rejected: {comment}")
        }
        status => format!("{}: {status}", workflow.workflow_id),
    })?;
    match workflow.status {
        Status::Completed | Status::Rejected => Ok(ExitCode::SUCCESS),
        Status::Failed => {
            let why = workflow.error.as_deref().unwrap_or("no reason on record");
            Err(CliError::failure(format!("the workflow failed: {why}")))
        }
        status => Err(CliError::failure(format!("the workflow is {status}"))),
    }
}

/// The workflow to follow: a new one, or one that has not ended.
async fn chosen(
    control: &Control,
    input: Option<&ResearchInput>,
    resumes: bool,
    progress: &Progress,
) -> Result<WorkflowId, CliError> {
    let topic = input.map(ResearchInput::topic);
    let unfinished = control.unfinished(topic).await?;
    match (unfinished, input) {
        (Some(workflow), _) if resumes => Ok(workflow.workflow_id),
        (None, Some(input)) if resumes => Err(CliError::failure(format!(
            "no unfinished workflow on `{}` in this data directory; `list` shows what there is",
            input.topic()
        ))),
        (None, None) => Err(CliError::failure("no unfinished workflow in this data directory")),
        (unfinished, Some(input)) => {
            if let Some(other) = unfinished {
                progress.line(&format!(
                    "note: workflow {} on this topic has not ended and goes on too; `cancel` ends it",
                    other.workflow_id
                ));
            }
            control.start(input).await
        }
        (Some(_), None) => Err(CliError::usage("a topic is required")),
    }
}

/// The command to go on with, for the shell.
fn resume_command(common: &Common, topic: Option<&str>) -> String {
    let mut words = vec![program(), "research".to_owned()];
    words.extend(topic.map(|topic| quoted(topic.trim())));
    words.push("--resume".to_owned());
    if common.data != std::path::Path::new("research-data") {
        words.extend(["--data".to_owned(), quoted(&common.data.display().to_string())]);
    }
    words.join(" ")
}
