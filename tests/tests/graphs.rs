//! The shapes of functions, as their sources say them. `UPDATE_GRAPHS=1` writes the snapshots anew.

use std::time::Duration;

use durable_runtime::{
    graph::{Node, graph},
    prelude::*,
};
use durable_testing::assert_graph;

#[durable_step]
async fn charge(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

#[durable_step]
async fn notify(text: String) -> Result<(), Error> {
    drop(text);
    Ok(())
}

#[durable_step]
async fn ask(id: CallbackId) -> Result<(), Error> {
    drop(id);
    Ok(())
}

#[durable_step]
async fn poll(state: u64) -> Result<Condition<u64>, Error> {
    Ok(Condition::Met(state))
}

#[durable_execution]
async fn straight(cents: u64) -> Result<u64, Error> {
    let receipt = charge(cents).named("charge the card").await?;
    wait("1h").await;
    notify(format!("{}", charge(receipt).await?)).await?;
    Ok(receipt)
}

#[durable_execution]
async fn branchy(cents: u64) -> Result<u64, Error> {
    if cents == 0 {
        return Ok(0);
    }
    let rate = match cents {
        1..=9 => charge(1).await?,
        10..=99 => {
            let now = now().await;
            now.as_millis().unsigned_abs()
        }
        _ => cents,
    };
    let Some(discount) = rate.checked_sub(5) else {
        notify("no discount".into()).await?;
        return Ok(rate);
    };
    let mut total = 0;
    for part in 0..discount {
        if part % 7 == 0 {
            continue;
        }
        total += charge(part).await?;
        if total > 1000 {
            break;
        }
    }
    while total > 0 {
        total = charge(total - 1).await.unwrap_or(0);
    }
    loop {
        match wait_for_condition(total, poll).await {
            Ok(done) => break Ok(done),
            Err(_) => wait(Duration::from_secs(5)).named("pause").await,
        }
    }
}

#[durable_execution]
async fn concurrent(items: Vec<u64>) -> Result<u64, Error> {
    let (first, second) = try_join!("both"; left = charge(1), async {
        wait("5s").await;
        charge(2).await
    })
    .await?;
    let charged = map(items, |cents| async move {
        let receipt = charge(cents).await?;
        straight(receipt).await
    })
    .named("each")
    .max_concurrency(3)
    .await?;
    let fast = race!(charge(first), charge(second)).await?;
    Ok(fast + charged.len() as u64)
}

#[durable_execution]
async fn approved(cents: u64) -> Result<u64, Error> {
    let answer: bool = callback("approval").timeout("24h").submit(ask).await?;
    let handle = callback::<u64>("later").create().await;
    let rate: u64 = invoke("rates", &cents).await?;
    let later = handle.result().await?;
    let both = saga!("both", {
        charge(rate).await?;
        step!("in place", { Ok::<u64, Error>(later) }).await
    })
    .await?;
    let retried = with_retry(RetryPolicy::DEFAULT, |_| async { charge(both).await }).named("again").await?;
    Ok(if answer { retried } else { 0 })
}

#[durable_execution(version = 2)]
async fn changed(cents: u64) -> Result<u64, Error> {
    versioned!(from 2 => charge(cents).await, else straight(cents).await)
}

/// What leaves the block goes on behind it.
#[durable_execution]
async fn caught(cents: u64) -> Result<u64, Error> {
    let outcome = async {
        let receipt = charge(cents).await?;
        if receipt == 0 {
            return Err(Error::new("nothing was charged"));
        }
        charge(receipt).await
    }
    .await;
    if outcome.is_err() {
        notify("it failed".into()).await?;
    }
    outcome
}

#[test]
fn shapes_are_as_committed() {
    assert_graph(straight, "tests/graphs/straight.mmd");
    assert_graph(branchy, "tests/graphs/branchy.mmd");
    assert_graph(concurrent, "tests/graphs/concurrent.mmd");
    assert_graph(approved, "tests/graphs/approved.mmd");
    assert_graph(changed, "tests/graphs/changed.mmd");
    assert_graph(caught, "tests/graphs/caught.mmd");
}

#[test]
fn nodes_say_where_they_are() {
    let graph = graph(&straight);
    assert!(graph.file.ends_with("graphs.rs"));
    let lines: Vec<u32> = graph
        .nodes
        .iter()
        .filter_map(|node| match node {
            Node::Operation { line, .. } => Some(*line),
            _ => None,
        })
        .collect();
    assert!(lines.iter().all(|line| *line > graph.line && *line < graph.line + 10), "{lines:?}");
}

#[test]
fn graphviz_gets_the_same_vertices_and_edges() {
    let dot = graph(&concurrent).to_dot();
    let mermaid = graph(&concurrent).to_mermaid();
    assert_eq!(dot.matches(" -> ").count(), mermaid.matches("-->").count() + mermaid.matches("-.->").count());
    assert_eq!(dot.matches("subgraph").count(), mermaid.matches("subgraph").count());
    assert!(dot.starts_with("digraph {") && dot.ends_with("}\n"));
}

/// What `durable graph` asks a program for.
#[cfg(feature = "lambda")]
#[test]
fn a_lambda_function_prints_its_graph_instead_of_serving() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let print = |language: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_kill_dev_function"))
            .env("DURABLE_GRAPH", language)
            .env("_HANDLER", "price")
            .env("KILL_DEV_FOLDER", folder.path())
            .env("KILL_DEV_INCARNATION", "1")
            .output()
            .expect("the program was built with the tests")
    };
    let mermaid = String::from_utf8(print("mermaid").stdout).expect("graphs are text");
    assert!(mermaid.starts_with("flowchart TD\n    n0([\"price\"])\n"), "{mermaid}");
    let refused = print("ascii");
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(words.contains("graphs are drawn as `mermaid`, `dot` or `svg`"), "{words}");
}
