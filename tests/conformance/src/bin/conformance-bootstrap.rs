//! The program that Lambda starts for every function: `_HANDLER` says which one it is.

use std::env;

use conformance::handlers;
use durable_runtime::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::init_logging();
    let name = env::var("_HANDLER").or_else(|_| env::var("AWS_LAMBDA_FUNCTION_NAME"))?;
    let handler = handlers::find(&name)
        .ok_or_else(|| format!("`{name}` is no function of the conformance suite; set _HANDLER to one"))?;
    handler.lambda().run().await
}
