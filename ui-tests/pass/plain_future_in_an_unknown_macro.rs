use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

macro_rules! verbatim {
    ($($token:tt)*) => { $($token)* };
}

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    verbatim!(step!("plain", { plain(1).await }).await)
}
