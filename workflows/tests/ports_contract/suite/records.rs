//! Workflow records.

use std::collections::BTreeSet;

use workflows::{
    ports::{
        ApprovalRequest, ArtifactRef, Change, KeyClaim, ListQuery, NewRecord, Report, StoreError, WorkflowId,
        WorkflowRecord,
    },
    research::{Depth, Parameters, ResearchInput, Status},
};

use super::{World, new_record};

pub async fn a_record_is_created_once(world: &World) {
    let parameters = Parameters {
        depth: Some(Depth::Comprehensive),
        sources: vec!["academic".to_owned()],
        word_limit: Some(500),
    };
    let input = ResearchInput::new("Über \"Tokio\" 🦀", parameters).unwrap();
    let id = WorkflowId::random();
    let first = NewRecord { id: id.clone(), input: input.clone() };
    world.records.create(first).await.unwrap();
    let record = world.records.get(id.clone()).await.unwrap().unwrap();
    assert_eq!(
        (&record.id, &record.input, record.status, record.current_step.as_ref()),
        (&id, &input, Status::Initializing, None)
    );
    assert_eq!(record.created_at, record.updated_at);

    let again = NewRecord { id: id.clone(), ..new_record("other") };
    world.records.create(again).await.unwrap();
    assert_eq!(world.records.get(id.clone()).await.unwrap().unwrap(), record);
    let trail = world.records.audit(id).await.unwrap();
    assert_eq!(trail.len(), 1);
    assert_eq!((trail[0].who.as_str(), trail[0].from, trail[0].to), ("api", None, Status::Initializing));
}

pub async fn everything_of_a_change_is_on_record(world: &World) {
    let id = WorkflowId::named("w");
    world.records.create(new_record("w")).await.unwrap();
    let begun = Change::of(&id, "init_workflow")
        .to(Status::Running)
        .now_at("research_phase_dispatch")
        .completing("init_workflow", "on record");
    for _ in 0..2 {
        world.records.apply(begun.clone()).await.unwrap();
    }
    let mut awaiting =
        Change::of(&id, "request_approval").to(Status::AwaitingApproval).now_at("human_approval");
    awaiting.approval = Some(ApprovalRequest {
        callback_id: "c-1".to_owned(),
        review_url: "https://x/?a=b&c=d".to_owned(),
        analysis: Some(ArtifactRef::new("bucket", "w/analysis.json")),
    });
    world.records.apply(awaiting).await.unwrap();
    let mut completed = Change::of(&id, "finalize_workflow")
        .to(Status::Completed)
        .now_at("nowhere")
        .completing("init_workflow", "again")
        .completing("finalize_workflow", "a report");
    completed.comment = Some("good\n".to_owned());
    let report =
        Report { artifact: ArtifactRef::new("b", "w/report.md"), url: "https://y".to_owned(), words: 7 };
    completed.report = Some(report.clone());
    let answered = world.records.apply(completed).await.unwrap();

    let record = world.records.get(id.clone()).await.unwrap().unwrap();
    assert_eq!(answered, record, "a change answers with what is on record");
    assert_eq!(record.status, Status::Completed);
    assert_eq!(record.current_step, None, "an ended workflow is at no step");
    assert_eq!(record.approval.unwrap().callback_id, "c-1", "what a change does not say stays");
    assert_eq!((record.comment.as_deref(), record.report), (Some("good\n"), Some(report)));
    assert!(record.updated_at >= record.created_at);
    let steps: Vec<_> =
        record.steps_completed.iter().map(|it| (it.name.as_str(), it.summary.as_str())).collect();
    assert_eq!(steps, [("init_workflow", "on record"), ("finalize_workflow", "a report")]);

    let trail = world.records.audit(id).await.unwrap();
    let moves: Vec<_> = trail.iter().map(|entry| (entry.who.as_str(), entry.from, entry.to)).collect();
    assert_eq!(
        moves,
        [
            ("api", None, Status::Initializing),
            ("init_workflow", Some(Status::Initializing), Status::Running),
            ("request_approval", Some(Status::Running), Status::AwaitingApproval),
            ("finalize_workflow", Some(Status::AwaitingApproval), Status::Completed),
        ],
        "repeated changes move nothing"
    );
}

pub async fn an_ended_workflow_stays_ended(world: &World) {
    let id = WorkflowId::named("w");
    world.records.create(new_record("w")).await.unwrap();
    let mut cancelled = Change::of(&id, "api").to(Status::Cancelled);
    cancelled.error = Some("enough".to_owned());
    world.records.apply(cancelled.clone()).await.unwrap();
    let before = world.records.get(id.clone()).await.unwrap().unwrap();
    for late in [
        Change::of(&id, "callback").to(Status::Running),
        Change::of(&id, "callback").completing("late", "late"),
        Change::of(&id, "fail_workflow").to(Status::Failed),
    ] {
        let refused = world.records.apply(late).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused:?}");
        assert!(!refused.is_transient());
    }
    assert_eq!(world.records.get(id.clone()).await.unwrap().unwrap(), before);
    world.records.apply(cancelled).await.expect("ending in the same way again is no change");
}

pub async fn a_late_change_is_refused(world: &World) {
    let id = WorkflowId::named("w");
    world.records.create(new_record("w")).await.unwrap();
    let at = |step: &str| Change::of(&id, "t").to(Status::Running).now_at(step);
    world.records.apply(at("first")).await.unwrap();
    world.records.apply(at("second").only_at("first")).await.unwrap();
    let refused = world.records.apply(at("second").only_at("first")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused:?}");
    let record = world.records.get(id).await.unwrap().unwrap();
    assert_eq!(record.current_step.as_deref(), Some("second"));
}

pub async fn changes_at_the_same_time_all_count(world: &World) {
    let id = WorkflowId::named("w");
    world.records.create(new_record("w")).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (records, id) = (world.records.clone(), id.clone());
        writers.spawn(async move {
            let change =
                Change::of(&id, "writer").to(Status::Running).completing(format!("step-{number}"), "done");
            records.apply(change).await.unwrap();
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let record = world.records.get(id.clone()).await.unwrap().unwrap();
    let steps: BTreeSet<_> = record.steps_completed.iter().map(|step| step.name.clone()).collect();
    assert_eq!(steps.len(), 6, "no change is lost: {steps:?}");
    assert_eq!(world.records.audit(id).await.unwrap().len(), 2, "only one of them moved the status");
}

pub async fn one_of_many_endings_wins(world: &World) {
    let id = WorkflowId::named("w");
    world.records.create(new_record("w")).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for end in [Status::Completed, Status::Cancelled, Status::Failed, Status::Rejected] {
        let (records, id) = (world.records.clone(), id.clone());
        writers.spawn(async move { (end, records.apply(Change::of(&id, "writer").to(end)).await) });
    }
    let mut winners = Vec::new();
    while let Some(ended) = writers.join_next().await {
        match ended.unwrap() {
            (end, Ok(_)) => winners.push(end),
            (_, Err(refused)) => assert!(matches!(refused, StoreError::Conflict(_)), "{refused:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let record = world.records.get(id.clone()).await.unwrap().unwrap();
    assert_eq!(record.status, winners[0]);
    assert_eq!(world.records.audit(id).await.unwrap().last().unwrap().to, winners[0]);
}

pub async fn a_key_stands_for_one_request(world: &World) {
    let claim = async |id: &str, key: &str, digest: &str| {
        world.records.create_once(new_record(id), key.to_owned(), digest.to_owned()).await.unwrap()
    };
    let long = "k".repeat(5_000);
    for key in ["key", long.as_str()] {
        let (first, second) = (format!("first-{}", key.len()), format!("second-{}", key.len()));
        assert_eq!(claim(&first, key, "1").await, KeyClaim::New);
        assert_eq!(claim(&second, key, "1").await, KeyClaim::Repeated(WorkflowId::named(&first)));
        assert_eq!(claim(&second, key, "2").await, KeyClaim::Reused);
        assert!(world.records.get(WorkflowId::named(&first)).await.unwrap().is_some());
        assert!(world.records.get(WorkflowId::named(&second)).await.unwrap().is_none());
    }
}

pub async fn one_of_many_claims_wins(world: &World) {
    let mut claims = tokio::task::JoinSet::new();
    for number in 0..6 {
        let records = world.records.clone();
        claims.spawn(async move {
            let new = new_record(&format!("w-{number}"));
            (new.id.clone(), records.create_once(new, "key".to_owned(), "digest".to_owned()).await.unwrap())
        });
    }
    let (mut winners, mut named) = (Vec::new(), BTreeSet::new());
    while let Some(ended) = claims.join_next().await {
        match ended.unwrap() {
            (id, KeyClaim::New) => winners.push(id),
            (_, KeyClaim::Repeated(id)) => drop(named.insert(id)),
            (_, KeyClaim::Reused) => panic!("all requests are the same"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(named.into_iter().collect::<Vec<_>>(), winners, "all others learn of the winner");
    let all = world.records.list(ListQuery::default()).await.unwrap();
    assert_eq!(all.records.len(), 1, "losers leave nothing behind");
}

async fn all(world: &World, mut query: ListQuery) -> Vec<WorkflowRecord> {
    let mut found = Vec::new();
    loop {
        let page = world.records.list(query.clone()).await.unwrap();
        assert!(query.limit == 0 || page.records.len() <= query.limit);
        found.extend(page.records);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return found;
        }
    }
}

pub async fn lists_are_newest_first_and_complete(world: &World) {
    for number in 0..7 {
        world.records.create(new_record(&format!("w-{number}"))).await.unwrap();
    }
    for limit in [1, 3, 7, 8, 0] {
        let found = all(world, ListQuery { limit, ..ListQuery::default() }).await;
        assert_eq!(found.len(), 7, "pages of {limit}");
        assert!(found.is_sorted_by(|a, b| (a.created_at, &a.id) > (b.created_at, &b.id)), "pages of {limit}");
    }
    let exact = world.records.list(ListQuery { limit: 7, ..ListQuery::default() }).await.unwrap();
    assert_eq!(exact.next_cursor, None, "there is nothing after the last");
    for cursor in ["nonsense", "1~", "~", "x~y"] {
        let query = ListQuery { cursor: Some(cursor.to_owned()), ..ListQuery::default() };
        match world.records.list(query).await {
            Err(StoreError::Conflict(message)) => assert!(message.contains("next_cursor"), "{message}"),
            Ok(page) if cursor == "1~" => assert!(page.records.is_empty(), "nothing is older than that"),
            other => panic!("{cursor}: {other:?}"),
        }
    }
}

pub async fn a_list_has_only_the_status_asked_for(world: &World) {
    for number in 0..6 {
        let id = format!("w-{number}");
        world.records.create(new_record(&id)).await.unwrap();
        if number % 2 == 0 {
            let moved = Change::of(&WorkflowId::named(id), "t").to(Status::Running);
            world.records.apply(moved).await.unwrap();
        }
    }
    let of = async |status| {
        let query = ListQuery { status: Some(status), limit: 2, cursor: None };
        let mut names: Vec<_> =
            all(world, query).await.into_iter().map(|record| record.id.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(of(Status::Running).await, ["w-0", "w-2", "w-4"]);
    assert_eq!(of(Status::Initializing).await, ["w-1", "w-3", "w-5"]);
    assert!(of(Status::Failed).await.is_empty());
}

pub async fn what_is_not_there_is_not_found(world: &World) {
    let id = WorkflowId::named("nobody");
    assert!(world.records.get(id.clone()).await.unwrap().is_none());
    assert!(world.records.audit(id.clone()).await.unwrap().is_empty());
    let missing = world.records.apply(Change::of(&id, "t").to(Status::Running)).await.unwrap_err();
    assert!(matches!(missing, StoreError::NotFound(_)), "{missing:?}");
    assert!(world.records.list(ListQuery::default()).await.unwrap().records.is_empty());
}
