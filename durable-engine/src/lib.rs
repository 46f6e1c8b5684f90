//! An embedded durable execution engine: the durable execution service of AWS Lambda, in your process.
//!
//! [`Engine`] keeps executions in one SQLite database (or in memory, for tests), runs their workflows as
//! tokio tasks, fires their timers, completes their callbacks, and survives being killed at any moment: what it
//! acknowledged is on disk.
//!
//! | module | job |
//! | --- | --- |
//! | [`service`] | the rules of the service, without clock, I/O or `async` |
//! | `store` | executions in memory or in SQLite |
//! | `scheduler` | what is due |
//! | `host` | runs workflows in this process |
//! | `engine`, `typed` | what users call |

mod clock;
mod engine;
mod host;
mod payloads;
mod scheduler;
pub mod service;
mod store;
mod typed;

pub use clock::SystemClock;
pub use engine::{
    CallbackError, DEFAULT_MAX_CONCURRENT_INVOCATIONS, Engine, EngineBuilder, EngineError, ExecutionList,
    ExecutionSummary, History, HistoryPage, ListFilter, PrefetchedCallback, Progress, StartOptions, Started,
};
pub use payloads::PayloadDirectory;
pub use service::{CallbackOutcome, ExecutionStatus, PageLimit, Pause, PauseOptions, ResumeOptions};
pub use store::{Counters, MemoryStore, OpenError};
pub use typed::{ResultError, Run, RunError};
