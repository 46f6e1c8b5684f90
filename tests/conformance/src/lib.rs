//! AWS's language-neutral conformance requirements for durable execution SDKs, and how this workspace meets them.
//!
//! | module | job |
//! | --- | --- |
//! | [`handlers`] | one durable function for each requirement, as a user would write it |
//! | [`judge`] | reads requirements, compares histories, results and logs |
//! | [`drive`] | runs the functions: in this process in virtual time, or behind the public REST API |
//! | [`report`] | what became of all of them |
//!
//! The requirements are the files in `requirements/`, AWS's own words under Apache-2.0.

pub mod drive;
pub mod handlers;
pub mod judge;
pub mod report;
