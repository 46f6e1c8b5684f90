//! Three agents that do real research on one machine, offline and extractively: nothing they report was
//! invented, every sentence is a quotation with its file and lines.
//!
//! - The **researcher** keeps a full-text index (BM25) of a directory of documents and retrieves passages.
//! - The **analyst** removes near duplicates, groups what is left by theme and derives data points.
//! - The **writer** composes a Markdown report within the word limit, with citations to file and line.
//!   Given [`AgentsConfig::llm`], a model writes the text instead.
//!
//! Each is an A2A server of its own on a loopback port. It answers `tasks/send` once the task is on disk,
//! works in the background, sends heartbeats and posts the outcome to the task's callback until somebody
//! takes it. An agent that is killed at any point takes its unfinished tasks up again at the next start.
//!
//! [`OnDemandAgents`] are the same three without servers, for a host that keeps the tasks itself.
//!
//! | to change | see |
//! | --- | --- |
//! | what is answered to a dispatch | `server.rs` |
//! | what survives a crash | `inbox.rs` |
//! | the life of one task | `worker.rs` |
//! | callbacks and their retries | `delivery.rs` |
//! | which files are read, and how | `corpus/` |
//! | the index and its queries | `index.rs`, `retrieval.rs` |
//! | what each agent does | `researcher.rs`, `analyst/`, `writer/` |

mod analyst;
mod config;
mod corpus;
mod delivery;
mod embedded;
mod error;
mod inbox;
mod index;
mod inputs;
mod llm;
mod on_demand;
mod outcome;
mod progress;
mod researcher;
mod results;
mod retrieval;
mod server;
mod terms;
mod worker;
mod writer;

pub use config::{API_KEY_HEADER, AgentsConfig, LlmConfig, default_corpus};
pub use embedded::{EmbeddedAgents, Role};
pub use error::AgentsError;
pub use on_demand::OnDemandAgents;
pub use outcome::{AgentFailure, FailureKind};
pub use results::{
    Analysis, DataPoint, DocumentKind, Finding, Reference, Report, ResearchResult, ResearchStatistics,
    SourceUse, Statement, Theme,
};
