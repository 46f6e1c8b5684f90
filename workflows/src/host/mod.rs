//! One process: engine, stores, agents and HTTP server on one data directory.

mod data_dir;
mod housekeeping;
mod intake;
mod running;
mod service;
mod view;

pub use data_dir::{DataDir, DataDirError, ServerAddress, address_in, agent_options_in};
pub use running::{AgentChoice, Host, HostError, HostOptions};
pub use service::{Service, ServiceError};
pub use view::{DecisionView, ExecutionView, ListView, OperationView, StartedView, WorkflowView};
