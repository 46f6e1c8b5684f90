//! One process: engine, stores, agents and HTTP server on one data directory.

mod data_dir;
mod housekeeping;
mod intake;
mod running;
mod service;
mod turns;
mod view;

pub use data_dir::{DataDir, DataDirError, ServerAddress, address_in, agent_options_in};
pub use intake::CallbackIntake;
pub use running::{AgentChoice, Host, HostError, HostOptions};
pub use service::{Recorder, Service, ServiceError};
pub use view::{DecisionView, ExecutionView, ListView, OperationView, Recorded, StartedView, WorkflowView};
