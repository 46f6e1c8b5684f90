//! Which agents do the work: flags, and the memory of them in the data directory.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::CliError;
use crate::{
    agents::LlmConfig,
    host::{AgentChoice, DataDir, agent_options_in},
};

/// Which agents do the work, for `research` and `serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AgentOptions {
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

impl AgentOptions {
    /// The same options, good from any directory, once it is clear that the corpus can be read. The agents
    /// check that again; here it is done so that a typo leaves no data directory behind.
    pub(super) fn checked(mut self) -> Result<Self, CliError> {
        if let Some(corpus) = &self.corpus {
            check_corpus(corpus)?;
            self.corpus = Some(corpus.canonicalize()?);
        }
        Ok(self)
    }

    /// What was chosen for a data directory last; nothing when that was never said.
    pub(super) fn remembered_in(root: &Path) -> Self {
        let text = std::fs::read(agent_options_in(root)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Remembers these options for a later `--resume`. Secrets are not among them.
    pub(super) fn remember_in(&self, directory: &DataDir) -> Result<(), CliError> {
        let text = serde_json::to_string(self).map_err(CliError::failure)?;
        Ok(directory.replace(directory.agent_options(), &text)?)
    }

    /// These options, completed by others where they leave something open.
    pub(super) fn or(self, other: Self) -> Self {
        // Address and model belong together.
        let (llm_url, llm_model) = match self.llm_url {
            Some(url) => (Some(url), self.llm_model),
            None => (other.llm_url, other.llm_model),
        };
        Self {
            corpus: self.corpus.or(other.corpus),
            researcher: self.researcher.or(other.researcher),
            analyst: self.analyst.or(other.analyst),
            writer: self.writer.or(other.writer),
            llm_url,
            llm_model,
        }
    }

    /// As flags, for a person; nothing when all agents are the usual ones.
    pub(super) fn as_flags(&self) -> Option<String> {
        let corpus = self.corpus.as_ref().map(|corpus| corpus.display().to_string());
        let flags = [
            ("--corpus", &corpus),
            ("--researcher", &self.researcher),
            ("--analyst", &self.analyst),
            ("--writer", &self.writer),
            ("--llm-url", &self.llm_url),
            ("--llm-model", &self.llm_model),
        ];
        let given = flags.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        let text = given.collect::<Vec<_>>().join(" ");
        Some(text).filter(|text| !text.is_empty())
    }

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

fn check_corpus(corpus: &Path) -> Result<(), CliError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn options(corpus: Option<&str>, llm: Option<(&str, &str)>) -> AgentOptions {
        AgentOptions {
            corpus: corpus.map(PathBuf::from),
            llm_url: llm.map(|(url, _)| url.to_owned()),
            llm_model: llm.map(|(_, model)| model.to_owned()),
            ..AgentOptions::default()
        }
    }

    #[test]
    fn what_is_given_wins_over_what_is_remembered() {
        let remembered = options(Some("/a"), Some(("http://one", "m")));
        assert_eq!(AgentOptions::default().or(remembered.clone()), remembered);
        let given = options(None, Some(("http://two", "n")));
        assert_eq!(given.or(remembered), options(Some("/a"), Some(("http://two", "n"))));
    }

    #[test]
    fn options_are_remembered_with_a_data_directory() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("data");
        assert_eq!(AgentOptions::remembered_in(&root), AgentOptions::default());
        let directory = DataDir::create(&root).unwrap();
        let chosen = options(Some("/a"), None);
        chosen.remember_in(&directory).unwrap();
        assert_eq!(AgentOptions::remembered_in(&root), chosen);
        assert_eq!(chosen.as_flags().as_deref(), Some("--corpus /a"));
        assert_eq!(AgentOptions::default().as_flags(), None);
    }
}
