//! What the researcher finds, and where it says it stands.

use serde_json::{Value, json};
use workflows::a2a::{Depth, TaskKind};
use workflows::agents::{ResearchResult, Role};

use crate::support::{Desk, Receiver, TOPIC, cited_lines, result_of, task, write};

async fn research(desk: &Desk, depth: Depth, sources: &[&str]) -> ResearchResult {
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    // A token is one task for ever, also for the agents started after these.
    let mut task = task(TaskKind::Research, &receiver.url, &uuid::Uuid::new_v4().to_string());
    task.parameters.depth = depth;
    task.parameters.sources = sources.iter().map(|it| (*it).to_owned()).collect();
    let result = result_of(&agents, &mut receiver, Role::Researcher, &task).await;
    agents.shutdown().await;
    serde_json::from_value(result).unwrap()
}

#[tokio::test]
async fn every_kind_of_document_is_found_with_its_lines() {
    let desk = Desk::new();
    let found = research(&desk, Depth::Standard, &[]).await;
    let place = |text: &str| {
        let finding = found.findings.iter().find(|it| it.text.contains(text));
        let finding = finding.unwrap_or_else(|| panic!("nothing found with `{text}` in {found:#?}"));
        (finding.file.as_str(), finding.line_start, finding.line_end, finding.package.as_str())
    };
    assert_eq!(
        place("reads each checkpoint from its history & runs no step twice"),
        ("guide/replay.html", 3, 4, "guide")
    );
    assert_eq!(place("Group commit"), ("notes/storage.txt", 1, 5, "notes"));
    assert_eq!(
        place("Writes the checkpoint of a durable workflow"),
        ("engine-1.0.0/src/lib.rs", 3, 5, "engine-1.0.0")
    );
    let (file, start, end, _) = place("after each step");
    assert!(file.ends_with("README.md"), "{file}");
    assert_eq!((start, end), (7, 8));
}

#[tokio::test]
async fn findings_are_quotations_ranked_best_first() {
    let desk = Desk::new();
    let found = research(&desk, Depth::Comprehensive, &[]).await;
    assert_eq!(found.topic, TOPIC);
    assert!(found.queries.len() > 3, "depth asks more than the topic: {:?}", found.queries);
    for finding in &found.findings {
        let lines = cited_lines(desk.corpus.path(), &finding.file, finding.line_start, finding.line_end);
        for sentence in finding.text.lines().flat_map(|line| line.split_inclusive(". ")) {
            assert!(lines.contains(sentence.trim()), "`{sentence}` is not in {}: {lines}", finding.file);
        }
        assert!(found.queries.contains(&finding.query));
    }
    assert_eq!(found.findings[0].score, 1.0);
    assert!(found.findings.windows(2).all(|pair| pair[0].score >= pair[1].score));
}

#[tokio::test]
async fn code_licences_binaries_scripts_and_other_subjects_are_no_findings() {
    let desk = Desk::new();
    let found = research(&desk, Depth::Comprehensive, &[]).await;
    for finding in &found.findings {
        assert!(!finding.file.contains("LICENSE") && !finding.file.contains("binary"), "{}", finding.file);
        assert!(!finding.file.contains("cooking"), "{finding:?}");
        assert!(!finding.text.contains("no prose") && !finding.text.contains("licence"), "{}", finding.text);
    }
    // 6 of the corpus' files are documents: no manifests, no licence; the binary is listed, but empty.
    assert_eq!(found.statistics.documents, 7);
}

#[tokio::test]
async fn deeper_research_asks_more() {
    let desk = Desk::new();
    let mut asked = Vec::new();
    for depth in [Depth::Basic, Depth::Standard, Depth::Comprehensive] {
        asked.push(research(&desk, depth, &[]).await.queries.len());
    }
    assert_eq!(asked[0], 1);
    assert!(asked[0] < asked[1] && asked[1] < asked[2], "{asked:?}");
}

#[tokio::test]
async fn sources_restrict_the_search_or_add_to_the_topic() {
    let desk = Desk::new();
    let html = research(&desk, Depth::Standard, &["html"]).await;
    assert!(!html.findings.is_empty());
    assert!(html.findings.iter().all(|it| it.file.ends_with(".html")));

    let engine = research(&desk, Depth::Standard, &["engine", "storage systems"]).await;
    assert!(!engine.findings.is_empty());
    assert!(engine.findings.iter().all(|it| it.package.starts_with("engine")), "{engine:?}");
    assert!(engine.queries.iter().any(|query| query.ends_with("storage")), "{:?}", engine.queries);
    assert_eq!(
        serde_json::to_value(&engine.statistics.sources).unwrap(),
        json!({ "engine": "package", "storage systems": "query_term" })
    );
}

#[tokio::test]
async fn the_index_is_kept_and_made_again_when_a_document_changes() {
    let desk = Desk::new();
    assert!(!research(&desk, Depth::Basic, &[]).await.statistics.index_reused);
    assert!(research(&desk, Depth::Basic, &[]).await.statistics.index_reused);

    write(desk.corpus.path(), "notes/new.md", "A durable workflow checkpoint named Zanzibar.\n");
    let found = research(&desk, Depth::Basic, &[]).await;
    assert!(!found.statistics.index_reused);
    assert!(found.findings.iter().any(|it| it.text.contains("Zanzibar")));
    let indexes = std::fs::read_dir(desk.data.path().join("index")).unwrap().count();
    assert_eq!(indexes, 1, "the outdated index is gone");
}

#[tokio::test]
async fn a_damaged_index_is_made_again() {
    let desk = Desk::new();
    let before = research(&desk, Depth::Basic, &[]).await;
    let index = std::fs::read_dir(desk.data.path().join("index")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(index.join("meta.json"), "{").unwrap();
    let after = research(&desk, Depth::Basic, &[]).await;
    assert!(!after.statistics.index_reused);
    let files = |it: &ResearchResult| it.findings.iter().map(|it| it.file.clone()).collect::<Vec<_>>();
    assert_eq!(files(&before), files(&after));
}

#[tokio::test]
async fn the_same_research_gives_the_same_result() {
    let desk = Desk::new();
    research(&desk, Depth::Comprehensive, &[]).await;
    let first: Value = serde_json::to_value(research(&desk, Depth::Comprehensive, &[]).await).unwrap();
    let second: Value = serde_json::to_value(research(&desk, Depth::Comprehensive, &[]).await).unwrap();
    assert_eq!(first, second);
}
