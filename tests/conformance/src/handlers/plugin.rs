//! Suite 10: plugins.

use durable_runtime::{environment::Options, plugin::OperationInfo, prelude::*, protocol::OperationType};
use tracing::info;

use super::{
    Handler,
    batch::Branch::Gives,
    function,
    recorder::{Output, Recorder},
    step::{greeting, retried, unreliable},
    wait::short_wait,
};

pub(super) const HANDLERS: &[Handler] = &[
    function!("10-1", logging_greeting).with_options(about_steps),
    function!("10-2", greeting).with_options(about_steps),
    function!("10-3", retried).with_options(about_steps),
    function!("10-4", greeting).with_options(panicking),
    function!("10-5", greeting).with_options(two_plugins),
    function!("10-8", greeting).with_options(about_steps),
    function!("10-9", short_wait).with_options(about_waits),
    function!("10-10", short_wait).with_options(about_waits),
    function!("10-12", two_branches).with_options(about_branches),
    function!("10-13", steady_then_flaky).with_options(about_steps),
    function!("10-16", short_wait).with_options(about_waits),
    function!("10-19", done_after_wait).with_options(about_waits),
    function!("10-20", single_task).with_options(about_steps),
    function!("10-21", flaky_task).with_options(about_steps),
    function!("10-22", single_task).with_options(about_steps),
    function!("10-23", suspended_branches).with_options(about_contexts),
];

const PLUGIN: &str = "CONFPLUGIN";

fn is_step(operation: &OperationInfo) -> bool {
    operation.operation_type == OperationType::Step
}

fn is_wait(operation: &OperationInfo) -> bool {
    operation.operation_type == OperationType::Wait
}

fn is_context(operation: &OperationInfo) -> bool {
    operation.operation_type == OperationType::Context
}

fn is_branch(operation: &OperationInfo) -> bool {
    operation.sub_type.as_deref() == Some("ParallelBranch")
}

pub(super) fn about_steps(output: &Output) -> Options {
    Options::default().plugin(Recorder::new(PLUGIN, output, is_step))
}

fn about_waits(output: &Output) -> Options {
    Options::default().plugin(Recorder::new(PLUGIN, output, is_wait))
}

fn about_branches(output: &Output) -> Options {
    Options::default().plugin(Recorder::new(PLUGIN, output, is_branch))
}

fn about_contexts(output: &Output) -> Options {
    Options::default().plugin(Recorder::new(PLUGIN, output, is_context))
}

fn panicking(output: &Output) -> Options {
    Options::default().plugin(Recorder::new("CONFPLUGIN-FAULTY", output, is_step).panicking())
}

fn two_plugins(output: &Output) -> Options {
    Options::default().plugin(Recorder::new("CONFPLUGIN-A", output, is_step)).plugin(Recorder::new(
        "CONFPLUGIN-B",
        output,
        is_step,
    ))
}

#[durable_step]
async fn greet_with_log(name: String) -> Result<String, Error> {
    info!("Greeting step running for: {name}");
    Ok(format!("Hello, {name}!"))
}

#[durable_execution]
async fn logging_greeting(name: String) -> Result<String, Error> {
    greet_with_log(name).await
}

#[durable_execution]
async fn two_branches() -> Result<Vec<String>, Error> {
    let branches = [Gives("task-1"), Gives("task-2")].map(|branch| async move { branch.answer() });
    parallel(branches).named("parallel").max_concurrency(1).await
}

#[durable_step]
async fn steady() -> Result<String, Error> {
    Ok("steady".to_owned())
}

#[durable_execution]
async fn steady_then_flaky() -> Result<String, Error> {
    steady().await?;
    unreliable().await
}

#[durable_execution]
async fn done_after_wait(input: String) -> Result<String, Error> {
    wait("2s").await;
    Ok(format!("done-{input}"))
}

#[durable_step(name = "greet")]
async fn task_a() -> Result<String, Error> {
    Ok("task-a".to_owned())
}

#[durable_execution]
async fn single_task() -> Result<String, Error> {
    task_a().await
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn flaky() -> Result<String, Error> {
    match step_attempt() {
        Some(1) => Err(Error::new("the first attempt fails")),
        _ => Ok("ok".to_owned()),
    }
}

#[durable_execution]
async fn flaky_task() -> Result<String, Error> {
    flaky().await
}

#[durable_step]
async fn inner() -> Result<String, Error> {
    Ok("x".to_owned())
}

#[durable_execution]
async fn suspended_branches() -> Result<Vec<String>, Error> {
    let names = ["branch-a", "branch-b"];
    let suspended = async {
        inner().await?;
        wait("2s").await;
        Ok("a-done".to_owned())
    };
    let direct = async { Ok::<_, Error>("b-done".to_owned()) };
    parallel([suspended.boxed(), direct.boxed()])
        .named("ctx")
        .item_name(|index, _| names.get(index).copied().unwrap_or_default())
        .max_concurrency(1)
        .await
}
