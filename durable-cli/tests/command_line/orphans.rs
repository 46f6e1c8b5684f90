//! Nothing that a server started outlives it, however it ends.

use std::{fs, path::Path, time::Duration};

use crate::{server::Server, until};

/// The processes that have this variable in their environment and have not ended.
fn processes_with(mark: &str) -> Vec<String> {
    let is_marked = |process: &Path| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let described = |process: &Path| {
        // One that has ended and was not waited for yet has no environment any more, nor a command line.
        let line = fs::read(process.join("cmdline")).ok().filter(|line| !line.is_empty())?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries.filter(|process| is_marked(process)).filter_map(|process| described(&process)).collect()
}

fn all_end(mark: &str) {
    until("everything that the server started ends", || processes_with(mark).is_empty().then_some(()));
}

/// A server whose processes have the mark.
fn marked(folder: &Path, arguments: &[&str]) -> (String, Server) {
    let mark = format!("ORPHANS_OF={}", folder.display());
    let shell = format!("export {mark}; exec \"$0\" \"$@\"");
    let server = Server::start_by_with(folder, &shell, arguments);
    (mark, server)
}

fn scripted() -> String {
    format!("--function=f={}", env!("CARGO_BIN_EXE_scripted-function"))
}

#[test]
fn a_function_that_hangs_and_what_it_started_end_with_a_server_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_scripted-function");
    // Deaf to everything but SIGKILL, and so is what it starts.
    let script = format!("trap '' HUP INT TERM; sleep 1000 & exec '{program}'");
    let settings = format!("data = \"data\"\n[functions.f]\ncommand = [\"sh\", \"-c\", \"{script}\"]\n");
    fs::write(folder.path().join("durable.toml"), settings).unwrap();
    let (mark, server) = marked(folder.path(), &[]);
    let hangs = r#"{"script":[{"print":"here"},{"sleep":1000000}]}"#;
    server.prints(&["start", "f", hangs, "--name", "hangs"]);
    until("the function hangs", || server.prints(&["logs", "f/hangs"]).contains("here").then_some(()));
    let running = processes_with(&mark);
    for what in ["durable", "scripted-function", "sleep 1000"] {
        assert!(running.iter().any(|process| process.contains(what)), "{what}: {running:?}");
    }
    server.kill();
    all_end(&mark);
}

#[test]
fn a_server_that_is_killed_while_processes_start_leaves_none() {
    for moment in 0..8 {
        let folder = tempfile::tempdir().unwrap();
        let (mark, server) = marked(folder.path(), &[&scripted()]);
        for number in 0..4 {
            let name = format!("n-{number}");
            server.prints(&["start", "f", r#"{"script":[{"sleep":1000000}]}"#, "--name", &name]);
        }
        std::thread::sleep(Duration::from_micros(400 * moment));
        server.kill();
        all_end(&mark);
    }
}

#[test]
fn a_server_that_is_stopped_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let (mark, server) = marked(folder.path(), &[&scripted()]);
    server.prints(&["start", "f", r#"{"script":[{"step":1}]}"#, "--wait"]);
    assert!(processes_with(&mark).len() > 1, "a warm process waits");
    assert_eq!(server.interrupt(), Some(0));
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}
