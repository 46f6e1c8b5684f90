//! Defects that durable execution SDKs really had, each as a scenario that must be harmless here.
//!
//! Written elsewhere, because they need the HTTP server or the compiler:
//!
//! | row | what it needs |
//! | --- | --- |
//! | F10, F11, F25 on the wire | status codes and bodies of the real API, through the server and `aws-sdk-lambda`; what each verdict leads to is tested here |
//! | F26 by type | a durable operation inside a step does not compile: see `ui-tests` |

mod checkpoints;
mod errors;
mod groups;
mod suspension;
