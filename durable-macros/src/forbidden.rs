//! The names that give another answer on replay, or act behind the history's back, and what to write instead.

/// What a path has to end with. `*` stands for any function, which is any name in lower case.
pub(crate) struct Rule {
    pub(crate) suffix: &'static [&'static str],
    pub(crate) reason: Reason,
}

/// Why something must not stand in the body of an execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Clock,
    Uuid,
    Random,
    Environment,
    Process,
    Files,
    Network,
    Spawn,
    Blocking,
    Timer,
    Timeout,
    Select,
    Join,
}

impl Reason {
    /// The whole message; `shown` is the part of the user's path that the rule is about.
    pub(crate) fn message(self, shown: &str) -> String {
        match self {
            Self::Clock => format!("`{shown}()` {DIFFERS}; use `now().await`, {RECORDED}"),
            Self::Uuid => format!("`{shown}()` {DIFFERS}; use `uuid().await`, {RECORDED}"),
            Self::Random => format!("`{shown}()` {DIFFERS}; use `random().await`, {RECORDED}"),
            Self::Environment => format!(
                "`{shown}` may give a different answer on replay; read it in a step or pass it in as input, \
                 or write `nondeterministic!(..)` if nothing recorded depends on it"
            ),
            Self::Process => format!(
                "`{shown}` gives a different answer on replay, or acts again; use it in a step, \
                 or write `nondeterministic!(..)` if nothing recorded depends on it"
            ),
            Self::Files => format!(
                "`{shown}` touches the file system again on every replay; do it in a step, whose result {IS_RECORDED}"
            ),
            Self::Network => format!(
                "`{shown}` talks to the network again on every replay; do it in a step, whose result {IS_RECORDED}"
            ),
            Self::Spawn => format!(
                "`{shown}` starts work that the history doesn't know about; \
                 use `join!` or `map` for durable branches, or spawn inside a step"
            ),
            Self::Blocking => format!(
                "`{shown}` blocks the whole invocation, on every replay again; use `wait(..).await`, {RECORDED}"
            ),
            Self::Timer => format!(
                "`{shown}` is a timer that the history doesn't know about; use `wait(..).await`, {RECORDED}"
            ),
            Self::Timeout => format!(
                "`{shown}` is a timer that the history doesn't know about; \
                 use the `timeout` of the operation, or `race!` it with a `wait(..)`"
            ),
            Self::Select => format!(
                "`{shown}!` polls its branches in random order, so a replay may take another branch; \
                 use `race!`, which records the branch that won"
            ),
            Self::Join => format!(
                "`{shown}!` gives its branches no place in the history; \
                 use the `{}!` of `durable_runtime`, which records each branch under its own",
                shown.rsplit("::").next().unwrap_or(shown)
            ),
        }
    }

    /// The arguments move elsewhere together with the call, so problems in them are not problems yet.
    pub(crate) fn covers_arguments(self) -> bool {
        matches!(self, Self::Spawn | Self::Select | Self::Join)
    }
}

const DIFFERS: &str = "gives a different answer on replay";
const RECORDED: &str = "which is recorded in the history";
const IS_RECORDED: &str = "is recorded in the history";

macro_rules! rules {
    ($($reason:ident: $([$($segment:literal),+])+;)+) => {
        &[$($(Rule { suffix: &[$($segment),+], reason: Reason::$reason },)+)+]
    };
}

/// Functions, and types whose mere mention gives something away. Longer rules stand before shorter ones.
pub(crate) const PATHS: &[Rule] = rules! {
    Clock: ["SystemTime", "now"] ["Instant", "now"] ["Utc", "now"] ["Local", "now"] ["Zoned", "now"]
        ["Timestamp", "now"] ["OffsetDateTime", "now_utc"] ["OffsetDateTime", "now_local"] ["UtcDateTime", "now"];
    Uuid: ["Uuid", "new_v4"] ["Uuid", "now_v7"] ["Uuid", "now_v6"] ["Uuid", "now_v1"] ["Ulid", "new"];
    Random: ["rand", "*"] ["fastrand", "*"] ["fastrand", "Rng", "new"] ["getrandom", "*"] ["thread_rng"]
        ["StdRng", "from_entropy"] ["StdRng", "from_os_rng"] ["SmallRng", "from_entropy"]
        ["SmallRng", "from_os_rng"] ["RandomState", "new"];
    Environment: ["env", "var"] ["env", "vars"] ["env", "var_os"] ["env", "vars_os"] ["env", "args"]
        ["env", "args_os"] ["env", "current_dir"] ["env", "current_exe"] ["env", "temp_dir"]
        ["env", "home_dir"] ["thread", "available_parallelism"];
    Process: ["process", "id"] ["process", "Command", "new"] ["process", "exit"]
        ["process", "abort"] ["io", "stdin"];
    Files: ["std", "fs", "*"] ["tokio", "fs", "*"] ["fs", "*"] ["File", "open"] ["File", "create"]
        ["File", "create_new"] ["File", "options"] ["OpenOptions", "new"];
    Network: ["TcpStream", "connect"] ["TcpListener", "bind"] ["UdpSocket", "bind"] ["UnixStream", "connect"]
        ["UnixListener", "bind"] ["net", "lookup_host"] ["reqwest", "get"] ["reqwest", "blocking", "get"];
    Spawn: ["tokio", "spawn"] ["task", "spawn"] ["task", "spawn_local"] ["tokio", "task", "spawn_blocking"]
        ["task", "spawn_blocking"] ["spawn_blocking"] ["thread", "spawn"] ["thread", "scope"] ["rayon", "spawn"]
        ["JoinSet", "new"];
    Blocking: ["thread", "sleep"];
    Timer: ["tokio", "time", "sleep"] ["tokio", "time", "sleep_until"] ["tokio", "time", "interval"]
        ["time", "sleep"] ["time", "sleep_until"] ["time", "interval"];
    Timeout: ["tokio", "time", "timeout"] ["tokio", "time", "timeout_at"] ["time", "timeout"]
        ["time", "timeout_at"];
};

/// Macros by their path.
pub(crate) const MACROS: &[Rule] = rules! {
    Select: ["tokio", "select"] ["futures", "select"] ["futures_util", "select"] ["futures", "select_biased"]
        ["futures_util", "select_biased"] ["futures_lite", "select"] ["select"] ["select_biased"];
    Join: ["tokio", "join"] ["tokio", "try_join"] ["futures", "join"] ["futures", "try_join"]
        ["futures_util", "join"] ["futures_util", "try_join"];
};

/// Macros that evaluate their arguments only when a level or a profile asks for it.
pub(crate) const CONDITIONAL_MACROS: &[&str] = &[
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "log",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
];
