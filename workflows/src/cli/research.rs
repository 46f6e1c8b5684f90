//! `research`

use std::{path::PathBuf, process::ExitCode, time::SystemTime};

use clap::Args;
use durable_runtime::protocol::Timestamp;

use super::{
    CliError, Common,
    follow::{Answer, Ending, follow},
    is_interactive, print,
    progress::Progress,
};
use crate::{
    agents::LlmConfig,
    config::Config,
    host::{AgentChoice, DataDir, DataDirError, Host, HostOptions, WorkflowView},
    ports::WorkflowId,
    research::{Approval, Depth, Parameters, ResearchInput, Status},
    telemetry,
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
    agents: AgentArguments,
}

const EXAMPLES: &str = "\
Examples:
  workflows research \"structured concurrency\"
  workflows research \"structured concurrency\" --corpus ~/notes --approve --word-limit 800
  workflows research \"structured concurrency\" --resume
  workflows research \"structured concurrency\" --reject=\"too thin\"";

/// Which agents do the work, for `research` and `serve`.
#[derive(Debug, Args)]
pub(super) struct AgentArguments {
    /// The documents to research in; the sources in the Cargo registry by default
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Another researcher: the URL of an A2A endpoint
    #[arg(long, value_name = "URL")]
    researcher: Option<String>,
    /// Another analyst
    #[arg(long, value_name = "URL")]
    analyst: Option<String>,
    /// Another writer
    #[arg(long, value_name = "URL")]
    writer: Option<String>,
    /// An OpenAI-compatible chat endpoint that writes the report, such as http://127.0.0.1:11434/v1
    #[arg(long, value_name = "URL", requires = "llm_model")]
    llm_url: Option<String>,
    /// The model it is asked for
    #[arg(long, value_name = "NAME", requires = "llm_url")]
    llm_model: Option<String>,
}

impl AgentArguments {
    pub(super) fn into_choice(self) -> AgentChoice {
        let llm = self.llm_url.zip(self.llm_model).map(|(base_url, model)| {
            let api_key = std::env::var("LLM_API_KEY").ok().filter(|key| !key.is_empty());
            LlmConfig { base_url, model, api_key }
        });
        AgentChoice {
            corpus: self.corpus,
            llm,
            researcher: self.researcher,
            analyst: self.analyst,
            writer: self.writer,
        }
    }
}

pub(super) async fn run(common: &Common, arguments: ResearchArguments) -> Result<ExitCode, CliError> {
    // Whatever is wrong with the request is said before anything is written.
    let parameters =
        Parameters { depth: arguments.depth, sources: arguments.sources, word_limit: arguments.word_limit };
    let input = arguments.topic.as_deref().map(|topic| ResearchInput::new(topic, parameters)).transpose();
    let input = input.map_err(CliError::usage)?;
    let config = Config::from_env()?;
    let agents = arguments.agents.into_choice();
    if let Some(corpus) = &agents.corpus {
        check_corpus(corpus)?;
    }
    let answer = match (arguments.approve, arguments.reject) {
        (Some(comment), _) => {
            let comment = Some(comment).filter(|comment| !comment.trim().is_empty());
            Answer::Given(Approval { approved: true, comment })
        }
        (None, Some(reason)) => Answer::Given(Approval { approved: false, comment: Some(reason) }),
        (None, None) if is_interactive() => Answer::Ask,
        (None, None) => Answer::Elsewhere,
    };

    let directory =
        if arguments.resume { DataDir::open(&common.data) } else { DataDir::create(&common.data) };
    let directory = directory.map_err(in_use)?;
    telemetry::log_to_file(&directory.log())?;
    let begun = Timestamp::from(SystemTime::now());
    let host = Host::start(HostOptions { directory, config, agents, port: None }).await?;
    let mut progress = Progress::new();
    let chosen = match &input {
        input if arguments.resume => resumed(&host, input.as_ref().map(ResearchInput::topic)).await,
        Some(input) => started(&host, input, &progress).await,
        None => Err(CliError::usage("a topic is required")),
    };
    let id = match chosen {
        Ok(workflow) => workflow,
        Err(error) => {
            host.shutdown().await;
            return Err(error);
        }
    };
    progress.line(&format!("workflow {id}, data in {}", host.directory().root().display()));
    if arguments.resume
        && let Ok(view) = host.service().execution(&id).await
    {
        progress.skip_finished(&view, begun);
    }
    let ending = follow(&host, &id, answer, &mut progress).await;
    let hint = resume_command(common, arguments.topic.as_deref());
    if matches!(ending, Ok(Ending::Interrupted)) {
        progress.line("stopping; everything up to here is on disk");
    }
    progress.finish();
    host.shutdown().await;
    match ending? {
        Ending::Interrupted => {
            progress.line(&format!("to go on:  {hint}"));
            Ok(ExitCode::from(130))
        }
        Ending::Ended(workflow) => report(common, &workflow),
    }
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

async fn started(host: &Host, input: &ResearchInput, progress: &Progress) -> Result<WorkflowId, CliError> {
    if let Some(other) = host.service().unfinished(Some(input.topic())).await? {
        progress.line(&format!(
            "note: workflow {} on this topic has not ended and goes on too; \
             to follow that one instead, stop this with Ctrl-C and cancel it, then use --resume",
            other.workflow_id
        ));
    }
    Ok(host.service().start(input.clone(), None).await?.workflow_id)
}

async fn resumed(host: &Host, topic: Option<&str>) -> Result<WorkflowId, CliError> {
    match (host.service().unfinished(topic).await?, topic) {
        (Some(workflow), _) => Ok(workflow.workflow_id),
        (None, Some(topic)) => Err(CliError::failure(format!(
            "no unfinished workflow on `{topic}` in this data directory; `list` shows what there is"
        ))),
        (None, None) => Err(CliError::failure("no unfinished workflow in this data directory")),
    }
}

fn in_use(error: DataDirError) -> CliError {
    match error {
        DataDirError::InUse(path) => CliError::failure(format!(
            "the data directory {} is in use by another process: `list`, `show` and `approve` work beside it; \
             for another workflow beside it choose another directory with --data",
            path.display()
        )),
        other => other.into(),
    }
}

/// Checked again by the agents; here so that a typo leaves no data directory behind.
fn check_corpus(corpus: &std::path::Path) -> Result<(), CliError> {
    let unusable = |why: &str| Err(CliError::failure(format!("--corpus {}: {why}", corpus.display())));
    match std::fs::metadata(corpus) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => unusable("there is no such directory"),
        Err(error) => unusable(&format!("can't be read: {error}")),
        Ok(metadata) if !metadata.is_dir() => unusable("is not a directory"),
        Ok(_) => match std::fs::read_dir(corpus) {
            Ok(_) => Ok(()),
            Err(error) => unusable(&format!("can't be read: {error}")),
        },
    }
}

/// The command to go on with, for the shell.
fn resume_command(common: &Common, topic: Option<&str>) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "workflows".to_owned());
    let mut words = vec![quoted(&program), "research".to_owned()];
    words.extend(topic.map(|topic| quoted(topic.trim())));
    words.push("--resume".to_owned());
    if common.data != std::path::Path::new("research-data") {
        words.extend(["--data".to_owned(), quoted(&common.data.display().to_string())]);
    }
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word.chars().all(|character| character.is_ascii_alphanumeric() || "-_./:=".contains(character));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("plain-word"), "plain-word");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
