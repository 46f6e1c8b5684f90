//! `durable dev`: the local service.

use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::CommandError;
use crate::{DevServer, FunctionConfig, Retention, Settings};

/// Where the server listens unless something else is said; clients look there, too.
pub(crate) const DEFAULT_PORT: u16 = 9014;
/// Where data is kept unless something else is said.
const DEFAULT_DATA: &str = ".durable";
/// How long running invocations get to end at a stop.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Runs the local service: the Lambda REST API on this machine, and functions behind it.
#[derive(Args, Debug)]
#[command(after_help = "\
Functions come from durable.toml and from --function. Stop with ctrl-c: executions go on at the next start.

Examples:
  durable dev
  durable dev --function checkout=target/lambda/checkout/bootstrap
  durable dev --function app='python3 -m awslambdaric app.handler' --watch
  durable dev --function shop=http://127.0.0.1:9000/2015-03-31/functions/function/invocations
  AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9014 aws lambda invoke --function-name 'checkout:$LATEST' out.json")]
pub(crate) struct Dev {
    /// The settings file [default: durable.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on; any but a loopback one lets other machines run the functions [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS", env = "DURABLE_HOST")]
    host: Option<IpAddr>,
    /// A name by which the server may be called, besides localhost. Can be repeated.
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<String>,
    /// The region in ARNs and of functions [default: AWS_REGION, else AWS_DEFAULT_REGION, else us-east-1].
    #[arg(long)]
    region: Option<String>,
    /// The port; 0 for a free one [default: 9014].
    #[arg(long, env = "DURABLE_PORT")]
    port: Option<u16>,
    /// The directory of executions and logs [default: .durable].
    #[arg(long, value_name = "DIRECTORY", env = "DURABLE_DATA")]
    data: Option<PathBuf>,
    /// How long executions are kept after their end, such as 14d, or `forever` [default: 14d].
    #[arg(long, value_name = "DURATION", env = "DURABLE_RETENTION")]
    retention: Option<Retention>,
    /// A function and its command or its http: URL. Can be repeated.
    #[arg(long = "function", value_name = "NAME=COMMAND", value_parser = function)]
    functions: Vec<(String, FunctionConfig)>,
    /// The functions given by --function are plain ones, not durable.
    #[arg(long, requires = "functions")]
    plain: bool,
    /// Rebuild and restart functions when their files change.
    #[arg(long)]
    watch: bool,
    /// Don't show what functions write; `durable logs` has it.
    #[arg(long)]
    quiet: bool,
}

fn function(text: &str) -> Result<(String, FunctionConfig), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() && !command.trim().is_empty() => {
            Ok((name.to_owned(), FunctionConfig::parse(command)))
        }
        _ => Err("write NAME=COMMAND or NAME=http://…".to_owned()),
    }
}

impl Dev {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let filter = EnvFilter::try_from_env("DURABLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            .init();

        raise_descriptor_limit();
        let settings = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::read_default()?,
        };
        let data = self.data.or(settings.data).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let mut server =
            DevServer::builder().port(self.port.or(settings.port).unwrap_or(DEFAULT_PORT)).data(&data);
        if let Some(retention) = self.retention.or(settings.retention) {
            server = server.retention(retention);
        }
        if let Some(host) = self.host.or(settings.host) {
            server = server.host(host);
            if !host.is_loopback() {
                tracing::warn!(
                    %host,
                    "anybody who reaches this address can run the functions and read what they were given: \
                     there are no credentials to check"
                );
            }
        }
        for name in settings.allow_hosts.into_iter().chain(self.allow_hosts) {
            server = server.allow_host(name);
        }
        if let Some(region) = self.region.or(settings.region).or_else(region_of_environment) {
            server = server.region(region);
        }
        for (name, config) in settings.functions {
            server = server.function(name, config);
        }
        for (name, mut config) in self.functions {
            config.durable = !self.plain;
            server = server.function(name, config);
        }
        if !self.quiet {
            server = server.echo_logs();
        }
        if self.watch {
            server = server.watch();
        }
        let server = server.start().await?;
        announce(&server, &data);
        wait_for_stop().await?;
        eprintln!("stopping");
        server.shutdown(STOP_LIMIT).await;
        Ok(ExitCode::SUCCESS)
    }
}

fn region_of_environment() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Each process that is hosted takes a handful of file descriptors, and so does each connection: more than the usual
/// limit of 1024 allows for, which is low for programs that can't count higher.
fn raise_descriptor_limit() {
    const WANTED: u64 = 8192;
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(WANTED, |most| most.min(WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // Refused: then there is room for fewer.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

fn announce(server: &DevServer, data: &std::path::Path) {
    eprintln!("durable executions at {}, data in {}", server.url(), data.display());
    let functions = server.functions();
    if functions.is_empty() {
        eprintln!("no functions: give --function NAME=COMMAND, or describe them in durable.toml");
    }
    for (name, host) in functions {
        eprintln!("  {name}: {host}");
    }
    eprintln!("  export AWS_ENDPOINT_URL_LAMBDA={}", server.url());
}

async fn wait_for_stop() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}
