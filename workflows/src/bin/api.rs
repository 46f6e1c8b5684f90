//! The workflow API as a Lambda function behind a gateway.

use std::{process::ExitCode, sync::Arc};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use workflows::{
    aws::{self, Clients, LambdaExecutions, Table},
    host::Service,
    lambda::{
        Api, LambdaRecorder,
        environment::{ApiEnvironment, Environment as _},
        gateway,
    },
    ports::Settings,
};

fn main() -> ExitCode {
    workflows::lambda::main(async || {
        let ApiEnvironment { aws: config } = ApiEnvironment::from_env()?;
        let clients = Clients::shared();
        let table = Table::new(&clients, &config.workflow_table);
        let executions = LambdaExecutions::new(&clients, table, config.research_function.clone());
        let ports = aws::ports(&clients, &config, Settings::default());
        let service = Service::new(ports, Arc::new(LambdaRecorder::new(executions)));
        let api = Api::new(Arc::new(service));
        let answer = async |event: LambdaEvent<gateway::Event>| {
            api.answer(event.payload).await.map_err(|error| error.to_string())
        };
        lambda_runtime::run(service_fn(answer)).await?;
        Ok::<(), Error>(())
    })
}
