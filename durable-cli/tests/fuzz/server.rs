//! The process under test, and what it may not do: die, panic, grow.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The longest that the server takes to come up or to stop, by far.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
}

/// What the process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Kilobytes of memory.
    pub(crate) memory: u64,
    pub(crate) descriptors: usize,
}

impl Server {
    /// Starts `durable dev`, settings, data and all in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        let scripted = env!("CARGO_BIN_EXE_scripted-function");
        // `runtime` only says where its Runtime API is: the tests are the runtime.
        let settings = format!(
            r#"
            [functions.good]
            command = ["{scripted}"]
            concurrency = 3
            [functions.open]
            command = ["{scripted}"]
            concurrency = 2
            [functions.plain]
            command = ["{scripted}"]
            durable = false
            concurrency = 2
            [functions.runtime]
            command = ["sh", "-c", "echo $AWS_LAMBDA_RUNTIME_API > address.new && mv address.new address; exec sleep 86400"]
            concurrency = 1
            timeout = "20s"
            "#
        );
        fs::write(folder.join("durable.toml"), settings).expect("the folder can be written to");
        let log = File::create(folder.join("server.log")).expect("the folder can be written to");
        let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
        command.args(["dev", "--port=0", "--data=data", "--quiet"]).current_dir(folder);
        for name in ["DURABLE_PORT", "DURABLE_DATA", "DURABLE_HOST"] {
            command.env_remove(name);
        }
        let child = command
            .env("DURABLE_LOG", "info")
            // glibc keeps what large bodies took, a bit more with each thread, unless it is told to give it back: then
            // the memory of the process is what the server holds.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_MMAP_THRESHOLD_", "131072")
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let address = until("the server says where it is", || {
            let said = fs::read_to_string(folder.join("server.log")).ok()?;
            let (_, rest) = said.split_once("durable executions at http://")?;
            rest.split_once(',')?.0.parse().ok()
        });
        Self { child, folder: folder.to_owned(), address }
    }

    pub(crate) fn usage(&self) -> Usage {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(process.join("status")).expect("the server lives");
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let memory = memory.and_then(|text| text.trim().parse().ok()).expect("a process has memory");
        let descriptors = fs::read_dir(process.join("fd")).expect("the server lives").count();
        Usage { memory, descriptors }
    }

    /// Checks that the server lives and has not panicked.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Err(format!("the server ended: {status}"));
        }
        let said = fs::read_to_string(self.folder.join("server.log")).expect("the server has a log");
        match said.lines().find(|line| line.contains("panicked") || line.contains("ERROR")) {
            Some(line) => Err(format!("the server says: {line}")),
            None => Ok(()),
        }
    }

    /// Stops it, so that its database can be read.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().expect("there is a kill");
        assert!(sent.success());
        until("the server stops", || self.child.try_wait().expect("the server was started here"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tries until there is an answer.
pub(crate) fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
