//! The processes that belong to a folder: those that have it in their environment.

use std::{fs, path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// The processes of functions, whoever their server was.
pub(crate) fn functions(folder: &Path) -> Vec<Pid> {
    let program = Path::new(env!("CARGO_BIN_EXE_kill_dev_function"));
    all(folder, |executable| executable == program)
}

/// Waits until no process of the folder is left.
pub(crate) async fn all_end(folder: &Path, limit: Duration) {
    let begun = Instant::now();
    loop {
        let left = all(folder, |_| true);
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < limit, "processes outlived their server: {left:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// SIGKILL. False when the process had ended.
pub(crate) fn kill(process: Pid) -> bool {
    kill_process(process, Signal::KILL).is_ok()
}

fn all(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Vec<Pid> {
    let mark = format!("KILL_DEV_FOLDER={}", folder.display());
    let own = |entry: &fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        // Both fail for processes that have ended, and for those of other people.
        let executable = fs::read_link(entry.path().join("exe")).ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let is_ours = environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        if is_ours && is_wanted(&executable) { Pid::from_raw(id) } else { None }
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| own(&entry)).collect()
}
