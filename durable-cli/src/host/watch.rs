//! `--watch`: rebuilds a function and restarts its processes when its files change.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{process::Command, sync::mpsc, task::JoinHandle, time::sleep};

use super::{group::Group, pool::Pool};

/// Editors and compilers write in bursts: changes are acted upon once nothing has changed for this long.
const QUIET: Duration = Duration::from_millis(300);

/// Watches until it is dropped.
pub(super) struct Watcher {
    _watcher: RecommendedWatcher,
    task: JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn start(
    pool: Arc<Pool>,
    build: Option<String>,
    paths: Vec<PathBuf>,
) -> Result<Watcher, notify::Error> {
    let (sender, changes) = mpsc::channel(1);
    let watched = paths.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| counts(&event, &watched)) {
            // Full: a change is noted already.
            let _ = sender.try_send(());
        }
    })?;
    for path in &paths {
        if path.is_dir() {
            watcher.watch(path, RecursiveMode::Recursive)?;
        } else {
            // A file is watched by its directory: most programs replace files instead of writing them.
            watcher.watch(path.parent().unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
        }
    }
    Ok(Watcher { _watcher: watcher, task: tokio::spawn(react(pool, build, changes)) })
}

fn counts(event: &Event, watched: &[PathBuf]) -> bool {
    let changes = !matches!(event.kind, EventKind::Access(_));
    changes && event.paths.iter().any(|path| watched.iter().any(|watched| path.starts_with(watched)))
}

async fn react(pool: Arc<Pool>, build: Option<String>, mut changes: mpsc::Receiver<()>) {
    while changes.recv().await.is_some() {
        loop {
            sleep(QUIET).await;
            if changes.try_recv().is_err() {
                break;
            }
        }
        let function = &pool.settings.name;
        if let Some(command) = &build {
            tracing::info!(function, command, "rebuilding");
            if let Err(problem) = run(command, &pool.settings.directory).await {
                tracing::error!(
                    function,
                    command,
                    "the build failed ({problem}); the function goes on as it was"
                );
                continue;
            }
        }
        pool.restart().await;
        tracing::info!(function, "restarted");
    }
}

/// Runs a build; its output goes where ours goes.
async fn run(command: &str, directory: &Path) -> Result<(), String> {
    let group = Group::form().map_err(|error| error.to_string())?;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).current_dir(directory).stdin(Stdio::null()).kill_on_drop(true);
    let status = group.take_in(&mut shell).status().await;
    // What a build leaves behind on purpose, such as a compiler's daemon, is the build's business.
    group.release().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
