//! The actors on one machine: SQLite, a directory, HTTP on the loopback interface.

mod agents;
mod artifacts;
mod callbacks;
mod database;
mod dead_letters;
mod deliveries;
mod events;
mod executions;
mod files;
mod metrics;
mod notify;
mod records;
mod signing;
mod webhooks;

pub use agents::{A2aAgents, Endpoints};
pub use artifacts::{ArtifactDirectory, LinkError};
pub use callbacks::SqliteCallbacks;
pub use database::{Database, OpenError};
pub use dead_letters::DeadLetterDirectory;
pub use events::SqliteEvents;
pub use executions::{EngineExecutions, ExecutionError};
pub use metrics::LoggedMetrics;
pub use notify::LogAndWebhook;
pub use records::SqliteRecords;
pub use signing::{SigningKey, constant_time_eq};
pub use webhooks::{EngineWebhooks, LocalPost};
