//! The three embedded agents as a durable Lambda function.

use std::{path::Path, process::ExitCode, sync::Arc};

use durable_runtime::lambda::{self, Error};
use workflows::{
    aws::{Clients, S3Artifacts},
    lambda::{
        Desk, HttpsPost, agent_function,
        environment::{AgentEnvironment, Environment as _},
    },
};

/// The only directory that a function may write to. An index is kept for as long as its environment is.
const INDEX: &str = "/tmp/index";

fn main() -> ExitCode {
    workflows::lambda::main(async || {
        let environment = AgentEnvironment::from_env()?;
        let artifacts = S3Artifacts::new(&Clients::shared(), &environment.artifact_bucket);
        let desk = Desk::new(
            &environment.corpus,
            Path::new(INDEX),
            Arc::new(artifacts),
            Arc::new(HttpsPost::new()),
            environment.callback_url,
            environment.proofs,
        )?;
        let options = workflows::lambda::options(environment.payload_bucket);
        lambda::handler(move |message| agent_function(desk.clone(), message))
            .with_options(options)
            .run()
            .await?;
        Ok::<(), Error>(())
    })
}
