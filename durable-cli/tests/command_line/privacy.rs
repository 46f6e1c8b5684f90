//! Who may read what the server keeps, who may call it, and what it says about what it was given.

use std::{
    fs,
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{durable, server::Server, text, until};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Everything below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { [files(&path), vec![path]].concat() } else { vec![path] })
        .collect()
}

#[test]
fn nobody_else_can_read_the_data_directory_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    // The folder itself is open: only the data is not.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::start_by(folder.path(), "umask 000; exec \"$0\" \"$@\"");
    server.prints(&["start", "f", r#"{"script":[{"print":"words"},{"step":1}]}"#, "--name", "a", "--wait"]);
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    let kept = files(&data);
    for name in
        ["executions.db", "executions.db-wal", "executions.db-shm", "executions.db.lock", "logs", "events"]
    {
        assert!(kept.contains(&data.join(name)), "{name} is not in {kept:?}");
    }
    assert!(
        kept.iter().any(|path| path.extension().is_some_and(|extension| extension == "jsonl")),
        "{kept:?}"
    );
    for path in &kept {
        assert_eq!(mode(path) & 0o077, 0, "{}", path.display());
    }
    // As another user, where the tests may become one.
    for path in kept.iter().filter(|path| path.is_file()) {
        let read = Command::new("cat").arg(path).uid(65534).gid(65534).output();
        assert!(read.is_err() || !read.unwrap().status.success(), "{}", path.display());
    }
}

#[test]
fn a_directory_that_everybody_may_write_to_is_refused_and_one_that_others_may_list_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let refused = durable(&["dev", "--port=0", "--data=data"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("chmod 700") && said.contains("data"), "{said}");

    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(folder.path());
    assert!(server.said().contains("other users may list the data directory"), "{}", server.said());
    server.prints(&["start", "f", r#"{"script":[{"print":"words"}]}"#, "--wait"]);
    for path in files(&data) {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn only_the_loopback_interface_is_listened_to_unless_another_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    // Another address of this machine that every Linux has.
    let elsewhere = |server: &Server| {
        let port = server.url.rsplit(':').next().unwrap();
        TcpStream::connect(format!("127.0.0.2:{port}")).is_ok()
    };
    let server = Server::start(folder.path());
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    assert!(!elsewhere(&server) && !server.said().contains("credentials"), "{}", server.said());
    server.interrupt();

    let program = format!("--function=f={}", env!("CARGO_BIN_EXE_scripted-function"));
    let server = Server::start_with(folder.path(), &["--host=0.0.0.0", &program]);
    assert!(
        server.said().contains("anybody who reaches this address can run the functions"),
        "{}",
        server.said()
    );
    assert!(!cfg!(target_os = "linux") || elsewhere(&server));
    // The functions are told an address that they can reach.
    assert_eq!(server.prints(&["start", "f", r#"{"script":[{"step":1}]}"#, "--wait"]), "1\n");
}

/// Texts that are in no log, whatever is done with them.
const SECRETS: [&str; 9] = [
    "s3cret-of-the-environment",
    "s3cret-of-the-function",
    "s3cret-in-the-input",
    "s3cret-of-a-step",
    "s3cret-of-the-caller",
    "s3cret-in-a-body-that-is-wrong",
    "s3cret-of-the-result",
    "s3cret-of-an-event",
    "s3cret-of-a-signature",
];

#[test]
fn the_most_verbose_log_has_no_payload_no_credential_and_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_scripted-function");
    let settings = format!(
        "data = \"data\"\n\
         [functions.f]\ncommand = [\"{program}\"]\nenvironment = {{ API_KEY = \"{}\" }}\n\
         [functions.plain]\ncommand = [\"{program}\"]\ndurable = false\nevent_retries = 1\nevent_retry_delay = \"1s\"\n",
        SECRETS[1]
    );
    fs::write(folder.path().join("durable.toml"), settings).unwrap();
    let server = Server::start_verbose(folder.path(), &[("AWS_SECRET_ACCESS_KEY", SECRETS[0])]);

    // One that has everything: several pages of state, a callback, a failed invocation, a wait.
    let input = serde_json::json!({ "note": SECRETS[2], "script": [
        { "step": SECRETS[3] }, { "callback": {} }, { "crash": folder.path().join("crashed") },
        { "variable": "API_KEY" }, { "wait": 1 }, { "return": SECRETS[6] },
    ] });
    server.prints(&["start", "f", &input.to_string(), "--name", "all"]);
    let callback = until("the callback exists", || {
        let shown = server.json(&["show", "f/all", "--json"]);
        let events = shown["Events"].as_array()?;
        let started = events.iter().find(|event| event["EventType"] == "CallbackStarted")?;
        started["CallbackStartedDetails"]["CallbackId"].as_str().map(str::to_owned)
    });
    server.prints(&["callback", "heartbeat", &callback]);
    server.prints(&["callback", "succeed", &callback, &format!("\"{}\"", SECRETS[4])]);
    let ended = until("it ends", || {
        let shown = server.json(&["show", "f/all", "--json"]);
        (shown["Status"] != "RUNNING").then_some(shown)
    });
    assert_eq!(ended["Result"], format!("\"{}\"", SECRETS[6]));
    // And everything that is refused.
    server.refuses(&["callback", "succeed", &callback, &format!("\"{}\"", SECRETS[5])]);
    server.refuses(&["start", "f", &format!("{{{}", SECRETS[5])]);
    server.refuses(&["start", "nobody", &format!("\"{}\"", SECRETS[5])]);
    let arn = ended["DurableExecutionArn"].as_str().unwrap().replace('/', "%2F").replace('$', "%24");
    let token = "czNjcmV0LXRva2Vu";
    let wrong = format!("{{\"CheckpointToken\":\"{token}\",\"Updates\":\"{}\"}}", SECRETS[5]);
    for (method, path, body) in [
        ("POST", format!("/2025-12-01/durable-executions/{arn}/checkpoint"), wrong.as_str()),
        ("GET", format!("/2025-12-01/durable-executions/{arn}/state?CheckpointToken={token}"), ""),
        (
            "POST",
            format!("/2025-12-01/durable-execution-callbacks/{callback}/fail"),
            "\"s3cret-in-a-body-that-is-wrong\"",
        ),
        // An event that fails, and is dropped in the end.
        (
            "POST",
            "/2015-03-31/functions/plain/invocations".to_owned(),
            r#"{"throw":"Oops","zz":"s3cret-of-an-event"}"#,
        ),
    ] {
        server.request(
            method,
            &path,
            &[("x-amz-invocation-type", "Event"), ("authorization", SECRETS[8])],
            body,
        );
    }
    until("the event is dropped", || server.said().contains("an event is dropped").then_some(()));
    let said = server.said();
    server.interrupt();
    // This is the verbose log of all of it.
    for words in ["cold start", "refused", "an event runs again"] {
        assert!(said.contains(words), "no '{words}' in {said}");
    }
    // Functions' own output is kept where they belong to, and has what they print.
    let mut logs = vec![said];
    for path in files(&folder.path().join("data/logs")).into_iter().filter(|path| path.is_file()) {
        logs.push(fs::read_to_string(path).unwrap());
    }
    for log in &logs {
        for secret in SECRETS.into_iter().chain([token, callback.as_str()]) {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "'{secret}' was logged");
        }
        // A checkpoint token is as long as no other word of ours.
        let word =
            log.split(|character: char| !character.is_ascii_alphanumeric() && !"+/=".contains(character));
        let tokens: Vec<_> = word.filter(|word| word.len() >= 44 && !word.contains('/')).collect();
        assert_eq!(tokens, [""; 0], "checkpoint tokens were logged");
    }
}
