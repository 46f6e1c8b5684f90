//! How `research` gets hold of a data directory: it takes it, or joins the process that has it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{CliError, agents::AgentOptions, control::Control};
use crate::{
    config::Config,
    host::{DataDir, DataDirError, Host, HostOptions, address_in},
    http::ApiClient,
    telemetry,
};

/// A process that starts or ends is done within this time; others don't hold a directory without a server.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(100);

/// What `research` needs of a data directory.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) data: &'a Path,
    pub(super) config: Config,
    /// The agents as the command line names them.
    pub(super) given: AgentOptions,
    /// Whether to go on with what is there: then it has to be there, and its agents stay the same.
    pub(super) resumes: bool,
}

/// Who has a data directory.
#[derive(Debug)]
pub(super) enum Owner {
    /// This process, from now on.
    Us(DataDir),
    /// Another one, which answers.
    Another(ApiClient, PathBuf),
}

/// Takes the directory at `root`, which is made if `create` says so, or finds the process that has it.
pub(super) async fn owner_of(root: &Path, create: bool) -> Result<Owner, CliError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match if create { DataDir::create(root) } else { DataDir::open(root) } {
            Ok(directory) => return Ok(Owner::Us(directory)),
            Err(DataDirError::InUse(root)) => {
                if let Some(client) = server_of(&root).await {
                    return Ok(Owner::Another(client, root));
                }
                if Instant::now() > deadline {
                    return Err(CliError::failure(format!(
                        "the data directory {} is in use by another process that does not answer; end it, or \
                         choose another directory with --data",
                        root.display()
                    )));
                }
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Takes the data directory and starts everything in it, or joins the process that has done so.
pub(super) async fn attach(wanted: &Wanted<'_>) -> Result<Control, CliError> {
    match owner_of(wanted.data, !wanted.resumes).await? {
        Owner::Us(directory) => start(directory, wanted).await,
        Owner::Another(client, root) => join(client, &root, wanted),
    }
}

async fn start(directory: DataDir, wanted: &Wanted<'_>) -> Result<Control, CliError> {
    telemetry::log_to_file(&directory.log())?;
    let mut agents = wanted.given.clone();
    if wanted.resumes {
        agents = agents.or(AgentOptions::remembered_in(directory.root()));
    }
    agents.remember_in(&directory)?;
    let (config, agents) = (wanted.config.clone(), agents.into_choice());
    Ok(Control::Local(Host::start(HostOptions { directory, config, agents, port: None }).await?))
}

/// The server of the directory's owner, if that is alive.
async fn server_of(root: &Path) -> Option<ApiClient> {
    let address = address_in(root)?;
    let client = ApiClient::new(address.url());
    client.is_instance(&address.instance).await.then_some(client)
}

/// The agents of the other process do the work; asking for others there is a mistake.
fn join(client: ApiClient, root: &Path, wanted: &Wanted<'_>) -> Result<Control, CliError> {
    let theirs = AgentOptions::remembered_in(root);
    if wanted.given.clone().or(theirs.clone()) == theirs {
        return Ok(Control::Remote(client));
    }
    let theirs = theirs.as_flags().unwrap_or_else(|| "the usual ones".to_owned());
    Err(CliError::failure(format!(
        "the data directory {} is in use by another process whose agents are others ({theirs}): leave the \
         agents out to join it, or choose another directory with --data",
        root.display()
    )))
}
