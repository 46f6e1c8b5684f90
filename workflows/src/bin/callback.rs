//! The callback handler as a durable Lambda function behind a gateway.

use std::{process::ExitCode, sync::Arc, time::Duration};

use durable_runtime::{
    environment::Options,
    lambda::{self, Error},
};
use workflows::{
    aws::{self, Clients},
    callback::WebhookSender,
    lambda::{
        CallbackEndpoint, HttpsPost, SelfInvoking, callback_function,
        environment::{CallbackEnvironment, Environment as _},
    },
};

fn main() -> ExitCode {
    workflows::lambda::main(async || {
        let environment = CallbackEnvironment::from_env()?;
        let clients = Clients::shared();
        let mut ports = aws::callback_ports(&clients, &environment.aws);
        let mut webhooks = None;
        if let Some(options) = environment.webhooks {
            let announcer = SelfInvoking::new(&clients, environment.this_function, options.clone());
            ports.webhooks = Some(Arc::new(announcer));
            webhooks = Some(WebhookSender::new(options, Arc::new(HttpsPost::new())));
        }
        let endpoint = CallbackEndpoint { ports, authentication: environment.authentication, webhooks };
        let options = workflows::lambda::options(environment.payload_bucket);
        // The sender waits: the short delays between attempts are no reason to end the invocation.
        let options = Options { wait_in_process: Duration::from_secs(4), ..options };
        lambda::handler(move |event| callback_function(endpoint.clone(), event))
            .with_options(options)
            .run()
            .await?;
        Ok::<(), Error>(())
    })
}
