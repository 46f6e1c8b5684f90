//! The workflow API over HTTP, with agents that do what a test says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use serde_json::json;
use support::{TestHost, token_of};

const REPORT: &str = "# Report\n\nAs found in a.md:1.";

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_goes_from_topic_to_report() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let id = host.start_to_approval("  structured concurrency ").await;
    let (_, waiting) = host.get(&format!("/workflows/{id}")).await;
    assert_eq!(waiting["topic"], "structured concurrency");
    assert_eq!(waiting["current_step"], "human_approval");
    let review = waiting["review_url"].as_str().unwrap().strip_prefix(&host.url).unwrap().to_owned();
    assert_eq!(host.get(&review).await, (200, json!({ "themes": ["two"] })));

    let decision = json!({ "approved": true, "comment": "go" });
    let (status, _) = host.post(&format!("/workflows/{id}/approval"), &decision).await;
    assert_eq!(status, 200);
    let task = host.agents.next_task().await;
    assert_eq!(task["task"], "write");
    assert_eq!(task["inputs"]["analysis"], json!({ "themes": ["two"] }));
    host.succeed(&token_of(&task), &json!({ "report": REPORT })).await;

    let workflow = host.until_status(&id, "COMPLETED").await;
    assert_eq!(workflow["progress_percent"], 100);
    assert_eq!(workflow["comment"], "go");
    assert_eq!(workflow["current_step"], json!(null));
    let link = workflow["report_url"].as_str().unwrap().strip_prefix(&host.url).unwrap().to_owned();
    assert_eq!(host.get(&link).await, (200, json!(REPORT)));
    assert_eq!(std::fs::read_to_string(workflow["report_path"].as_str().unwrap()).unwrap(), REPORT);

    let finished: Vec<_> = workflow["steps_completed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(finished, workflows::research::MANDATORY_STEPS);

    let (_, view) = host.get(&format!("/workflows/{id}/operations")).await;
    let moves: Vec<_> =
        view["audit"].as_array().unwrap().iter().map(|entry| entry["to"].as_str().unwrap()).collect();
    let expected = [
        "INITIALIZING",
        "RUNNING",
        "PENDING",
        "RUNNING",
        "PENDING",
        "RUNNING",
        "AWAITING_APPROVAL",
        "RUNNING",
        "PENDING",
        "RUNNING",
        "COMPLETED",
    ];
    assert_eq!(moves, expected);
    let names: Vec<_> =
        view["operations"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    for name in workflows::research::MANDATORY_STEPS {
        assert_eq!(names.iter().filter(|it| **it == name).count(), 1, "{name} in {names:?}");
    }
    host.shutdown().await;
}

/// A link is good for a day, an approval may stay open for a year.
#[tokio::test(flavor = "multi_thread")]
async fn links_are_made_anew_whenever_a_workflow_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let id = host.start_to_approval("topic").await;
    let database = rusqlite::Connection::open(directory.path().join("records.db")).unwrap();
    let expire = |column: &str, field: &str| {
        let set =
            format!("UPDATE workflows SET {column} = json_set({column}, '$.{field}', 'http://expired')");
        assert_eq!(database.execute(&set, []).unwrap(), 1);
    };
    let shown = async |field: &str| {
        let (_, view) = host.get(&format!("/workflows/{id}")).await;
        let (_, list) = host.get("/workflows").await;
        for link in [&view[field], &list["workflows"][0][field]] {
            let path = link.as_str().unwrap().strip_prefix(&host.url).unwrap();
            assert_eq!(host.get(path).await.0, 200, "{link}");
        }
    };
    expire("approval", "review_url");
    shown("review_url").await;

    host.post(&format!("/workflows/{id}/approval"), &json!({ "approved": true })).await;
    let task = host.agents.next_task().await;
    host.succeed(&token_of(&task), &json!({ "report": REPORT })).await;
    host.until_status(&id, "COMPLETED").await;
    expire("report", "url");
    shown("report_url").await;
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_ends_the_workflow_well() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let id = host.start_to_approval("topic").await;
    let path = format!("/workflows/{id}/approval");
    let (status, _) = host.post(&path, &json!({ "approved": false, "comment": "too thin" })).await;
    assert_eq!(status, 200);
    let workflow = host.until_status(&id, "REJECTED").await;
    assert_eq!(workflow["comment"], "too thin");
    assert!(host.agents.is_idle().await, "the writer is not asked");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_counts_once_and_only_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (early, _) = host.start_to_first_task("early").await;
    let approve = json!({ "approved": true });
    let (status, answer) = host.post(&format!("/workflows/{early}/approval"), &approve).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("PENDING"), "{answer}");

    let id = host.start_to_approval("topic").await;
    let path = format!("/workflows/{id}/approval");
    for (bad, error) in [
        (json!({}), "approved: is required"),
        (json!({ "approved": "yes" }), "approved: expected true or false, got a string"),
        (json!({ "approved": true, "comment": 1 }), "comment: expected a string, got a number"),
        (
            json!({ "approved": true, "colour": 1 }),
            "colour: is not a known field; known are: approved, comment",
        ),
        (json!([]), "body: expected an object, got a list"),
    ] {
        assert_eq!(host.post(&path, &bad).await, (400, json!({ "error": error })), "{bad}");
    }
    assert_eq!(host.post(&path, &approve).await.0, 200);
    assert_eq!(host.post(&path, &approve).await.0, 409, "twice");
    assert_eq!(host.post(&path, &json!({ "approved": false })).await.0, 409, "another one");

    let task = host.agents.next_task().await;
    host.succeed(&token_of(&task), &json!({ "report": REPORT })).await;
    host.until_status(&id, "COMPLETED").await;
    assert_eq!(host.post(&path, &approve).await.0, 409, "too late");
    assert_eq!(host.post("/workflows/unknown/approval", &approve).await.0, 404);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let id = host.start_to_approval("topic").await;
    let path = format!("/workflows/{id}");
    for _ in 0..2 {
        let (status, workflow) = host.delete(&path).await;
        assert_eq!((status, &workflow["status"]), (200, &json!("CANCELLED")));
    }
    assert_eq!(host.post(&format!("{path}/approval"), &json!({ "approved": true })).await.0, 409);
    assert_eq!(host.delete("/workflows/unknown").await.0, 404);

    let rejected = host.start_to_approval("other").await;
    host.post(&format!("/workflows/{rejected}/approval"), &json!({ "approved": false })).await;
    host.until_status(&rejected, "REJECTED").await;
    assert_eq!(host.delete(&format!("/workflows/{rejected}")).await.0, 409);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_starts_one_workflow() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let start = async |key: &str, topic: &str| {
        let request = host.request("POST", "/workflows").header("Idempotency-Key", key);
        host.send(request.body(json!({ "topic": topic }).to_string())).await
    };
    let (status, first) = start("key-1", "topic").await;
    assert_eq!(status, 202);
    let (status, again) = start("key-1", " topic ").await;
    assert_eq!((status, &again["workflow_id"]), (202, &first["workflow_id"]));
    assert_eq!(start("key-1", "another").await.0, 422);
    assert_eq!(start("with space", "topic").await.0, 400);
    let (_, other) = start("key-2", "topic").await;
    assert_ne!(other["workflow_id"], first["workflow_id"]);

    host.agents.next_task().await;
    host.agents.next_task().await;
    assert!(host.agents.is_idle().await);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_answered_and_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    for (body, field) in [
        (json!({ "topic": "" }), "topic"),
        (json!({ "topic": "x".repeat(501) }), "topic"),
        (json!({ "topic": "t", "tone": "grave" }), "tone"),
        (json!({ "topic": "t", "parameters": { "word_limit": 1 } }), "parameters.word_limit"),
    ] {
        let (status, answer) = host.post("/workflows", &body).await;
        assert_eq!(status, 400, "{body}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("{field}: ")), "{error}");
    }
    let (status, _) = host.send(host.request("POST", "/workflows").body("{")).await;
    assert_eq!(status, 400);
    for path in ["/workflows?status=LOST", "/workflows?limit=0", "/workflows?limit=x", "/workflows?cursor=x"]
    {
        assert_eq!(host.get(path).await.0, 400, "{path}");
    }
    assert_eq!(host.get("/workflows/unknown").await.0, 404);
    assert_eq!(host.get("/workflows/%ff").await, (404, json!({ "error": "no workflow has this id" })));
    let (status, answer) = host.get("/workflows?limit=1&limit=2").await;
    assert!(status == 400 && answer["error"].is_string(), "{answer}");
    assert_eq!(host.get("/workflows/unknown/operations").await.0, 404);
    assert_eq!(host.get("/nowhere").await.0, 404);
    assert_eq!(host.delete("/workflows").await.0, 405);
    assert_eq!(host.get("/artifacts/x/report.md").await.0, 403);
    assert_eq!(host.get("/workflows").await, (200, json!({ "workflows": [], "next_cursor": null })));
    let foreign = host.request("GET", "/workflows").header("host", "evil.example");
    assert_eq!(host.send(foreign).await.0, 403);
    for origin in ["https://evil.example", "http://127.0.0.1.evil.example", "null"] {
        let tricked = host.request("POST", "/workflows").header("origin", origin).body(r#"{"topic": "t"}"#);
        assert_eq!(host.send(tricked).await.0, 403, "{origin}");
    }
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_result_fails_the_agent_that_sent_it() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    host.succeed(&token, &json!(null)).await;
    let workflow = host.until_status(&id, "FAILED").await;
    assert_eq!(workflow["error"], "the researcher failed: its result is unusable: findings expected");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_without_running_a_finished_step_again() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let id = host.start_to_approval("topic").await;
    let agents = host.agents.clone();
    let url = host.url.clone();
    host.shutdown().await;

    let host =
        TestHost::start_with(directory.path(), agents, workflows::callback::Authentication::default()).await;
    assert_eq!(host.url, url, "links stay valid");
    let (status, _) = host.post(&format!("/workflows/{id}/approval"), &json!({ "approved": true })).await;
    assert_eq!(status, 200);
    let task = host.agents.next_task().await;
    assert_eq!(task["task"], "write", "research and analysis are not asked for again");
    host.succeed(&token_of(&task), &json!({ "report": REPORT })).await;
    host.until_status(&id, "COMPLETED").await;
    host.shutdown().await;
}
