//! From findings to a report: what is counted, what is quoted, and how long it gets.

use axum::{Json, Router, routing::get};
use serde_json::{Value, json};
use workflows::a2a::{ArtifactReference, ArtifactType, TaskInput, TaskKind};
use workflows::agents::{Analysis, EmbeddedAgents, Report, Role};

use crate::support::{Desk, Receiver, analysed, cited_lines, result_of, serve, task};

async fn report(
    agents: &EmbeddedAgents,
    receiver: &mut Receiver,
    analysis: TaskInput,
    word_limit: Option<u32>,
    token: &str,
) -> Report {
    let mut write = task(TaskKind::Write, &receiver.url, token);
    write.inputs.analysis = Some(analysis);
    write.parameters.word_limit = word_limit;
    serde_json::from_value(result_of(agents, receiver, Role::Writer, &write).await).unwrap()
}

#[tokio::test]
async fn the_analysis_drops_copies_and_counts_agreement() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let (found, analysis) = analysed(&agents, &mut receiver).await;
    let analysis: Analysis = serde_json::from_value(analysis).unwrap();

    // Another finding with the text of the first, from elsewhere.
    let mut doubled = found.clone();
    let mut copy = found["findings"][0].clone();
    copy["package"] = json!("elsewhere");
    copy["file"] = json!("elsewhere/copy.md");
    doubled["findings"].as_array_mut().unwrap().push(copy);
    let mut again = task(TaskKind::Analyze, &receiver.url, "token-again");
    again.inputs.research = Some(TaskInput::Inline(doubled));
    let again: Analysis =
        serde_json::from_value(result_of(&agents, &mut receiver, Role::Analyst, &again).await).unwrap();

    assert_eq!(again.duplicates_removed, analysis.duplicates_removed + 1);
    let copied =
        again.references.iter().find(|it| it.package == "elsewhere").expect("copies keep a reference");
    let cites_copy = |it: &&workflows::agents::Statement| it.references.contains(&copied.number);
    let statement = again.key_statements.iter().find(cites_copy).expect("a statement names its copy");
    assert!(statement.agreement >= 2);

    let mut texts: Vec<&str> = again.key_statements.iter().map(|it| it.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), again.key_statements.len(), "no key statement twice");

    let kept = found["findings"].as_array().unwrap().len() as u64 - analysis.duplicates_removed;
    let analysed = analysis.data_points.iter().find(|it| it.name == "Passages analysed").unwrap();
    assert_eq!(analysed.value, kept.to_string());
    agents.shutdown().await;
}

#[tokio::test]
async fn every_statement_of_the_report_stands_where_it_is_cited() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let (_, analysis) = analysed(&agents, &mut receiver).await;
    let report = report(&agents, &mut receiver, TaskInput::Inline(analysis), None, "w").await;

    assert!(report.extractive);
    for heading in ["# durable workflow checkpoint", "## Summary", "## Data points", "## Sources"] {
        assert!(report.report.lines().any(|line| line == heading), "no `{heading}` in\n{}", report.report);
    }
    assert!(report.report.contains("Extractive report"));

    let body = report.report.split("## Sources").next().unwrap();
    let mut statements = 0;
    for line in body.lines().filter_map(|line| line.strip_prefix("- ")) {
        statements += 1;
        let (text, citations) = line.rsplit_once(" [").unwrap_or_else(|| panic!("`{line}` has no citation"));
        let first: u64 = citations.split(']').next().unwrap().parse().unwrap();
        let reference = report.references.iter().find(|it| it.number == first).expect("a known source");
        let lines =
            cited_lines(desk.corpus.path(), &reference.file, reference.line_start, reference.line_end);
        assert!(lines.contains(text), "`{text}` is not in {}: {lines}", reference.file);
    }
    assert!(statements >= 4, "only {statements} statements in\n{}", report.report);

    for reference in &report.references {
        let place = format!("- [{}] `{}:{}", reference.number, reference.file, reference.line_start);
        assert!(report.report.contains(&place), "no `{place}` in\n{}", report.report);
        assert!(
            body.contains(&format!("[{}]", reference.number)),
            "source {} is not cited",
            reference.number
        );
    }
    agents.shutdown().await;
}

#[tokio::test]
async fn the_word_limit_holds_for_the_whole_report() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let (_, analysis) = analysed(&agents, &mut receiver).await;
    let mut counts = Vec::new();
    for limit in [100, 150, 300, 5_000] {
        let input = TaskInput::Inline(analysis.clone());
        let report = report(&agents, &mut receiver, input, Some(limit), &format!("w-{limit}")).await;
        let counted = report.report.split_whitespace().count() as u64;
        assert_eq!(report.word_count, counted);
        assert!(counted <= u64::from(limit), "{counted} words of {limit} in\n{}", report.report);
        assert!(report.report.contains("[1]") && report.report.contains("## Sources"));
        counts.push(counted);
    }
    assert!(counts[0] < counts[2] && counts[2] <= counts[3], "room is used: {counts:?}");
    agents.shutdown().await;
}

#[tokio::test]
async fn a_topic_longer_than_the_report_is_cut() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let (_, analysis) = analysed(&agents, &mut receiver).await;
    let mut write = task(TaskKind::Write, &receiver.url, "w");
    write.topic = "checkpoint ".repeat(45);
    write.parameters.word_limit = Some(100);
    write.inputs.analysis = Some(TaskInput::Inline(analysis));
    let report: Report =
        serde_json::from_value(result_of(&agents, &mut receiver, Role::Writer, &write).await).unwrap();
    assert!(report.word_count <= 100);
    assert!(report.report.contains("[1]"));
    agents.shutdown().await;
}

#[tokio::test]
async fn inputs_are_fetched_when_they_come_by_reference() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let (_, analysis) = analysed(&agents, &mut receiver).await;
    let stored = analysis.clone();
    let store = serve(Router::new().route("/a", get(async move || Json::<Value>(stored)))).await;

    let inline = report(&agents, &mut receiver, TaskInput::Inline(analysis), None, "w-inline").await;
    let reference = TaskInput::Reference(ArtifactReference {
        artifact_type: ArtifactType::S3Reference,
        s3_uri: "s3://artifacts/a".to_owned(),
        url: Some(format!("{store}a?signature=x")),
    });
    let fetched = report(&agents, &mut receiver, reference, None, "w-fetched").await;
    assert_eq!(inline, fetched);
    agents.shutdown().await;
}
