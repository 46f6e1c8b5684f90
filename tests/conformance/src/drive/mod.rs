//! Where the functions run while they are judged.

mod capture;
mod in_process;
mod rest;

pub use self::{
    in_process::judge_in_process,
    rest::{Logs, RestEndpoint},
};
