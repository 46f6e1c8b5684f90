//! A local Lambda durable execution service, and the client of any such service.
//!
//! [`DevServer`] speaks the REST API of AWS Lambda durable executions on the loopback interface, keeps
//! executions in a `durable-engine`, and hosts functions: `#[durable_execution]` workflows of the same process,
//! executables that speak the Lambda Runtime API, and HTTP endpoints that speak Invoke. The binary `durable` is
//! that server and a command line client for it.
//!
//! ```no_run
//! # async fn example() -> Result<(), durable_cli::StartError> {
//! use durable_cli::{DevServer, FunctionConfig};
//!
//! let server = DevServer::builder()
//!     .data(".durable")
//!     .function("checkout", FunctionConfig::command(["target/lambda/checkout/bootstrap"]))
//!     .start()
//!     .await?;
//! println!("AWS_ENDPOINT_URL_LAMBDA={}", server.url());
//! # Ok(()) }
//! ```
//!
//! | module | job |
//! | --- | --- |
//! | `config` | `durable.toml` and what flags add to it |
//! | `server` | the REST API, thin: every rule is the engine's |
//! | `host` | runs functions: processes behind the Runtime API, HTTP endpoints |
//! | `http` | connections with limits, and who may call |
//! | `logs` | what functions write, by execution |
//! | `client` | calls of the REST API |
//! | `trace` | X-Ray headers |
//! | `commands` | the command line, one file for each command |

#[doc(hidden)]
pub mod cli;
mod client;
mod commands;
mod config;
mod host;
mod http;
mod logs;
mod server;
mod trace;

pub use config::{ConfigError, FunctionConfig, NoRetention, Retention, Settings};
pub use logs::{LogLine, Stream};
pub use server::{DevServer, ServerBuilder, StartError};
