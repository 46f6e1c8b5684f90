//! A `durable dev` process.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Output, Stdio},
};

use crate::{durable, text, until};

pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    log: PathBuf,
}

impl Server {
    /// Starts a server with the scripted function as `f`, data and all in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[&format!("--function=f={}", env!("CARGO_BIN_EXE_scripted-function"))])
    }

    pub(crate) fn start_with(folder: &Path, arguments: &[&str]) -> Self {
        Self::spawn(folder, durable(&["dev", "--port=0", "--data=data"]).args(arguments))
    }

    /// As [`Self::start`], by a shell command that ends in `exec "$0" "$@"`.
    pub(crate) fn start_by(folder: &Path, shell: &str) -> Self {
        let function = format!("--function=f={}", env!("CARGO_BIN_EXE_scripted-function"));
        Self::start_by_with(folder, shell, &[&function])
    }

    /// As [`Self::start_by`], with other arguments, and the settings in the folder.
    pub(crate) fn start_by_with(folder: &Path, shell: &str, arguments: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_durable");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", shell, program, "dev", "--port=0", "--data=data"]).args(arguments);
        Self::spawn(folder, &mut command)
    }

    /// With the settings in the folder and everything that can be logged.
    pub(crate) fn start_verbose(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = durable(&["dev", "--port=0", "--quiet"]);
        Self::spawn(folder, command.envs(variables.iter().copied()).env("DURABLE_LOG", "trace"))
    }

    fn spawn(folder: &Path, command: &mut std::process::Command) -> Self {
        let log = folder.join("server.log");
        let errors = fs::File::create(&log).expect("the folder can be written to");
        let child = command
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("the server starts");
        let url = until("the server says where it is", || {
            let log = fs::read_to_string(&log).ok()?;
            let (_, rest) = log.split_once("durable executions at ")?;
            rest.split_once(',').map(|(url, _)| url.to_owned())
        });
        Self { child, url, log }
    }

    /// Everything that it has written to standard error.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("it was created here")
    }

    /// A request as it is, whose answer nobody looks at.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let address = self.url.strip_prefix("http://").expect("the server speaks HTTP");
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        let mut connection = TcpStream::connect(address).expect("the server listens");
        connection.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        durable(arguments).env("DURABLE_ENDPOINT", &self.url).output().expect("the client runs")
    }

    /// What a command prints that works.
    #[track_caller]
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        crate::stdout(&self.run(arguments))
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.prints(arguments);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// What a command says that does not work.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{}", text(&output.stdout));
        text(&output.stderr)
    }

    /// As `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server runs");
        self.child.wait().expect("the server was started here");
    }

    /// As ctrl-c does; the exit code.
    pub(crate) fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-INT", &id]).status().expect("there is a kill");
        assert!(sent.success());
        let status =
            until("the server stops", || self.child.try_wait().expect("the server was started here"));
        status.code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
