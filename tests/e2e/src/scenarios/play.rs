//! What several scenarios do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    agents::{Behaviour, Phase, Task},
    stack::{Stack, World},
};

/// How long a step of a scenario may take when nothing is wrong. Generous: two cores may be busy compiling.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// The same while something is wrong, and after.
pub(super) const LATER: Duration = Duration::from_secs(120);

/// The recorded names of the steps that every completed workflow goes through.
fn mandatory_steps() -> Vec<String> {
    let phase = |name: &str| ["dispatch", "await"].map(|step| format!("{name}_phase_{step}"));
    let [research, analysis, writing] = ["research", "analysis", "writing"].map(phase);
    let [begin, ask, decide, end] =
        ["init_workflow", "request_approval", "human_approval", "finalize_workflow"]
            .map(|it| [it.to_owned()]);
    [&begin[..], &research, &analysis, &ask, &decide, &writing, &end].concat()
}

/// A topic that no other workflow has.
pub(super) fn topic(about: &str) -> String {
    format!("{about} {}", uuid::Uuid::new_v4().simple())
}

/// Lets the researcher and the analyst of `topic` answer at once.
pub(super) fn quick_findings(world: &World, topic: &str) {
    world.agents.script(topic, Phase::Research, Behaviour::Succeed(json!({ "findings": [topic] })));
    world.agents.script(topic, Phase::Analysis, Behaviour::Succeed(json!({ "analysis": topic })));
}

/// Lets all three agents of `topic` answer at once.
pub(super) fn quick_agents(world: &World, topic: &str) {
    quick_findings(world, topic);
    let report = json!({ "report": format!("# Report on {topic}") });
    world.agents.script(topic, Phase::Writing, Behaviour::Succeed(report));
}

/// The next task of a scripted agent.
pub(super) async fn next_task(tasks: &mut UnboundedReceiver<Task>, limit: Duration) -> Result<Task> {
    let task = tokio::time::timeout(limit, tasks.recv()).await;
    task.with_context(|| format!("no task came within {limit:?}"))?.context("the script was replaced")
}

/// A workflow whose researcher waits for the scenario.
pub(super) async fn held(world: &World, stack: &Stack, topic: &str) -> Result<(String, Task)> {
    let mut tasks = world.agents.script(topic, Phase::Research, Behaviour::Hold);
    let id = stack.api.start(topic).await?;
    let task = next_task(&mut tasks, SOON).await?;
    stack.api.wait_for(&id, "PENDING", SOON).await?;
    Ok((id, task))
}

/// Approves a workflow once it waits for that, and waits for its end.
pub(super) async fn approve(stack: &Stack, id: &str, limit: Duration) -> Result<Value> {
    stack.api.wait_for(id, "AWAITING_APPROVAL", limit).await?;
    stack.api.decide(id, true, "go on").await?;
    stack.api.wait_for(id, "COMPLETED", limit).await
}

/// A completed workflow went through each step, in order and once.
pub(super) fn check_completed(view: &Value) -> Result<()> {
    let steps = view.get("steps_completed").and_then(Value::as_array).context("no steps are shown")?;
    let names: Vec<_> = steps.iter().filter_map(|step| step.get("name")?.as_str()).collect();
    let mandatory = mandatory_steps();
    let shown: Vec<_> = names.iter().copied().filter(|name| mandatory.iter().any(|it| it == name)).collect();
    ensure!(shown == mandatory, "the steps are {names:?}");
    ensure!(
        view.get("progress_percent") == Some(&json!(100)),
        "the progress is {:?}",
        view.get("progress_percent")
    );
    Ok(())
}

/// A field of a view, as text.
pub(super) fn text<'a>(view: &'a Value, field: &str) -> Result<&'a str> {
    view.get(field).and_then(Value::as_str).with_context(|| format!("no text `{field}` in {view}"))
}
