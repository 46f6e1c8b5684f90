//! Compares what an execution did with what a requirement expects.

mod callbacks;
mod history;
mod logs;
mod pattern;
mod requirement;
mod trial;
mod variables;

pub use self::{
    callbacks::{Delivery, Message},
    logs::LogRecord,
    requirement::{Requirement, load_all},
    trial::{Ended, Endpoint, Verdict, judge},
};
