//! The embedded agents as a workflow meets them: over A2A on one side, through callbacks on the other.

mod dispatch;
mod durability;
mod failures;
mod model;
mod report;
mod research;
mod support;
