//! Defects that durable execution SDKs really had, each as a scenario that must be harmless here.
//!
//! | rows | where |
//! | --- | --- |
//! | F1, F10, F11, F14, F17, F22, F25 | `checkpoints`: calls that are slow, refused, lost or large |
//! | F10, F11, F25 once more | `wire`: in the status codes and bodies of the real API, through the development server and AWS's client (feature `lambda`) |
//! | F26 by type | a durable operation inside a step does not compile: see `ui-tests` |
//! | the others | `suspension`, `groups`, `errors` |

mod checkpoints;
mod errors;
mod groups;
mod suspension;
#[cfg(feature = "lambda")]
mod wire;
