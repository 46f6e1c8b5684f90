//! The research workflow as a durable Lambda function.

use std::process::ExitCode;

use durable_runtime::lambda::{self, Error};
use workflows::{
    aws::{self, Clients},
    lambda::environment::{Environment as _, ResearchEnvironment},
    research::research_workflow,
};

fn main() -> ExitCode {
    workflows::lambda::main(async || {
        let environment = ResearchEnvironment::from_env()?;
        let ports = aws::ports(&Clients::shared(), &environment.aws, environment.settings);
        let options = workflows::lambda::options(environment.payload_bucket);
        lambda::handler(move |job| research_workflow(ports.clone(), job)).with_options(options).run().await?;
        Ok::<(), Error>(())
    })
}
