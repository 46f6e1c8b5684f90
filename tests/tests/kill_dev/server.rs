//! `durable dev`, and its successors on the same port and the same data.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{api::Api, processes};

const START_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    folder: PathBuf,
    port: u16,
    incarnation: u32,
    child: Option<Child>,
}

impl Server {
    /// Writes the settings into the folder.
    pub(crate) fn prepare(folder: &Path) -> Self {
        let program = env!("CARGO_BIN_EXE_kill_dev_function");
        let function = |name| format!("[functions.{name}]\ncommand = [\"{program}\"]\nconcurrency = 6\n");
        fs::write(folder.join("durable.toml"), function("errand") + &function("price")).unwrap();
        Self { folder: folder.to_owned(), port: free_port(), incarnation: 0, child: None }
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.port)
    }

    pub(crate) const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    pub(crate) async fn start(&mut self) {
        assert!(self.child.is_none(), "one at a time");
        self.incarnation += 1;
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.join("server.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_kill_dev_server"))
            .args(["dev", "--data=data", "--quiet", &format!("--port={}", self.port)])
            .current_dir(&self.folder)
            .env("KILL_DEV_FOLDER", &self.folder)
            .env("KILL_DEV_INCARNATION", self.incarnation.to_string())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let (api, begun) = (self.api(), Instant::now());
        while !api.is_healthy().await {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            let log = || fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
            assert!(ended.is_none(), "the server did not start: {ended:?}\n{}", log());
            assert!(begun.elapsed() < START_LIMIT, "the server is silent\n{}", log());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL, on Unix.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended by itself: {ended:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Fails when it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
        for function in processes::functions(&self.folder) {
            processes::kill(function);
        }
    }
}

/// Below the ports that the system gives to outgoing connections: a successor must get it, too.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = (first..32_000).chain(20_000..first);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
