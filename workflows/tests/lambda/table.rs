//! The table of answers, row by row, at every face.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use workflows::{
    callback::{Authentication, MAX_CALLBACK_BYTES, sign},
    lambda::MAX_FUNCTION_CALLBACK_BYTES,
    ports::Metric,
};

use super::world::{Face, Script, World};

fn success(token: &str, result: &Value) -> Value {
    json!({ "token": token, "status": "SUCCESS", "result": result })
}

fn assert_answer(answer: &(u16, Value), word: &str, token: &str, face: Face) {
    let (status, body) = answer;
    assert_eq!(
        (*status, &body["status"], &body["token"]),
        (200, &json!(word), &json!(token)),
        "{face:?} {body}"
    );
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z') && &timestamp[19..20] == ".", "{timestamp}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_answered_alike_everywhere() {
    for face in Face::ALL {
        let world = World::new(face, Authentication::default()).await;
        world.script("open", Script::Open);
        world.script("late", Script::Closed);

        assert_answer(
            &world.callback(&json!({ "token": "open", "status": "HEARTBEAT" })).await,
            "heartbeat_recorded",
            "open",
            face,
        );
        let first = success("open", &json!({ "a": 1, "b": [true] }));
        assert_answer(&world.callback(&first).await, "callback_delivered", "open", face);
        // The same outcome, written otherwise, and with a content type that is none.
        let again = br#"{"status":"SUCCESS","result":{ "b":[ true ],"a":1 },"token":"open"}"#;
        let again = world.send(&[("content-type", "text/plain")], again).await;
        assert_answer(&again, "already_delivered", "open", face);

        for contradiction in [
            success("open", &json!({ "a": 2 })),
            json!({ "token": "open", "status": "FAILURE", "error": "no" }),
        ] {
            let (status, body) = world.callback(&contradiction).await;
            assert_eq!(status, 409, "{face:?} {body}");
            assert!(body["error"].as_str().unwrap().starts_with("token: "), "{body}");
        }
        let taken = world.executions.taken.lock().unwrap().clone();
        assert_eq!(taken, [("open".to_owned(), Ok(r#"{"a":1,"b":[true]}"#.to_owned()))], "{face:?}");

        for _ in 0..2 {
            assert_answer(
                &world.callback(&success("late", &json!(1))).await,
                "callback_expired",
                "late",
                face,
            );
            assert_answer(
                &world.callback(&success("stranger", &json!(1))).await,
                "callback_stored",
                "stranger",
                face,
            );
        }
        assert_eq!(world.executions.taken.lock().unwrap().len(), 1, "{face:?}: nothing else was delivered");
        assert_eq!((world.rows("callback_results"), world.rows("callback_history")), (3, 9), "{face:?}");

        let metrics = world.metrics.0.lock().unwrap().clone();
        let count = |wanted| metrics.iter().filter(|metric| **metric == wanted).count();
        assert_eq!((count(Metric::Received), count(Metric::Delivered)), (9, 1), "{face:?}");
        assert_eq!((count(Metric::ClientError), count(Metric::ServerError)), (2, 0), "{face:?}");
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_reaches_the_execution_with_its_type() {
    for face in Face::ALL {
        let world = World::new(face, Authentication::default()).await;
        world.script("t", Script::Open);
        let error = json!({ "type": "CorpusUnreadable", "message": "gone" });
        let answer = world.callback(&json!({ "token": "t", "status": "FAILURE", "error": error })).await;
        assert_answer(&answer, "callback_delivered", "t", face);
        let taken = world.executions.taken.lock().unwrap().clone();
        let Err(error) = &taken[0].1 else { panic!("{taken:?}") };
        assert_eq!((error.kind(), error.message()), (Some("CorpusUnreadable"), "gone"));
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_table_is_refused_and_leaves_no_trace() {
    let long = "x".repeat(1025);
    let huge = "x".repeat(1024 * 1024);
    let deep =
        format!(r#"{{"token":"t","status":"SUCCESS","result":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    let rows: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "body"),
        (b" \n".to_vec(), "body"),
        (b"{".to_vec(), "body"),
        (b"\xff\xfe\x00".to_vec(), "body"),
        (b"token=t&status=SUCCESS".to_vec(), "body"),
        (b"<callback/>".to_vec(), "body"),
        (deep.into_bytes(), "body"),
        (b"[]".to_vec(), "body"),
        (json!({ "status": "HEARTBEAT" }).to_string().into(), "token"),
        (json!({ "token": "", "status": "HEARTBEAT" }).to_string().into(), "token"),
        (json!({ "token": 1, "status": "HEARTBEAT" }).to_string().into(), "token"),
        (json!({ "token": long, "status": "HEARTBEAT" }).to_string().into(), "token"),
        (json!({ "token": huge, "status": "HEARTBEAT" }).to_string().into(), "token"),
        (json!({ "token": "t" }).to_string().into(), "status"),
        (json!({ "token": "t", "status": "DONE" }).to_string().into(), "status"),
        (json!({ "token": "t", "status": "SUCCESS" }).to_string().into(), "result"),
        (json!({ "token": "t", "status": "FAILURE" }).to_string().into(), "error"),
        (json!({ "token": "t", "status": "FAILURE", "error": 7 }).to_string().into(), "error"),
    ];
    for face in Face::ALL {
        let world = World::new(face, Authentication::default()).await;
        world.script("t", Script::Open);
        for content_type in ["application/json", "application/x-www-form-urlencoded", "image/png; q=;"] {
            for (body, field) in &rows {
                let (status, answer) = world.send(&[("content-type", content_type)], body).await;
                let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
                assert_eq!(status, 400, "{face:?} {shown}: {answer}");
                let error = answer["error"].as_str().unwrap();
                assert!(error.starts_with(&format!("{field}: ")), "{face:?} {shown}: {error}");
                assert!(error.len() < 200, "{face:?}: what was sent is not repeated");
            }
        }
        assert_eq!((world.stored(), world.handler_executions().await), (0, 0), "{face:?}");
        assert_eq!(world.executions.taken.lock().unwrap().len(), 0);
        // And the token still takes its outcome; one of the longest length, too.
        let longest = "ü".repeat(1024);
        world.script(&longest, Script::Open);
        for token in ["t", &longest] {
            assert_answer(
                &world.callback(&success(token, &json!(1))).await,
                "callback_delivered",
                token,
                face,
            );
        }
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused() {
    for face in Face::ALL {
        let world = World::new(face, Authentication::default()).await;
        let limit = if face == Face::LocalHttp { MAX_CALLBACK_BYTES } else { MAX_FUNCTION_CALLBACK_BYTES };
        let body = success("t", &json!("x".repeat(limit)));
        let (status, answer) = world.callback(&body).await;
        assert_eq!(status, 413, "{face:?} {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with("body: "), "{answer}");
        assert_eq!(world.stored(), 0);
        let metrics = world.metrics.0.lock().unwrap().clone();
        assert!(metrics.contains(&Metric::ClientError), "{face:?} {metrics:?}");
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_stored_as_an_artifact_before_it_is_recorded() {
    for face in Face::ALL {
        let world = World::new(face, Authentication::default()).await;
        world.script("t", Script::Open);
        let large = json!({ "findings": "f".repeat(300 * 1024) });
        for expected in ["callback_delivered", "already_delivered"] {
            assert_answer(&world.callback(&success("t", &large)).await, expected, "t", face);
        }
        let taken = world.executions.taken.lock().unwrap().clone();
        let reference: Value = serde_json::from_str(taken[0].1.as_ref().unwrap()).unwrap();
        assert_eq!(reference["artifact_type"], "s3_reference", "{face:?}");
        let key = reference["s3_uri"].as_str().unwrap().strip_prefix("s3://local/").unwrap();
        let stored = std::fs::read(world.artifacts().join(key)).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), large);
        let record: String =
            world.database().query_row("SELECT outcome FROM callback_results", [], |row| row.get(0)).unwrap();
        assert!(record.len() < 1000, "{face:?}: the record keeps the reference");
        for execution in world.engine.list(durable_engine::ListFilter::default()).await.unwrap().executions {
            let recorded = world.engine.operations(&execution.arn).await.unwrap();
            // The input of a function is recorded by the service itself, before the function sees it.
            let recorded = recorded.iter().filter(|it| it.parent_id.is_some() || it.name.is_some());
            for operation in recorded {
                let length = serde_json::to_string(operation).unwrap().len();
                assert!(length < 10_000, "{face:?}: {:?} holds {length} bytes", operation.name);
            }
        }
        world.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_delivered_is_a_dead_letter_and_nothing_leaks() {
    let faces = Face::ALL.map(|face| async move {
        let world = World::new(face, Authentication::default()).await;
        world.script("t", Script::Down);
        let (status, answer) = world.callback(&success("t", &json!(1))).await;
        assert_eq!((status, &answer), (500, &json!({ "error": "Failed to deliver callback" })), "{face:?}");
        assert_eq!((world.rows("callback_results"), world.rows("dead_letters")), (1, 1), "{face:?}");
        let metrics = world.metrics.0.lock().unwrap().clone();
        assert!(metrics.contains(&Metric::ServerError), "{face:?} {metrics:?}");

        world.script("t", Script::Open);
        let redriven = workflows::callback::redrive(&world.ports).await.unwrap();
        assert_eq!((redriven.delivered, redriven.remaining), (1, 0), "{face:?}");
        // The sender tries again, as it was told 500.
        assert_answer(&world.callback(&success("t", &json!(1))).await, "already_delivered", "t", face);
        assert_eq!(world.executions.taken.lock().unwrap().len(), 1, "{face:?}");
        world.shutdown().await;
    });
    futures_util::future::join_all(faces).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_stored_is_kept_and_not_delivered_and_nothing_leaks() {
    let faces = Face::ALL.map(|face| async move {
        let world = World::new(face, Authentication::default()).await;
        world.script("t", Script::Open);
        world.database().execute_batch("ALTER TABLE callback_results RENAME TO away").unwrap();
        let (status, answer) = world.callback(&success("t", &json!(1))).await;
        assert_eq!(
            (status, &answer),
            (500, &json!({ "error": "Failed to store callback result" })),
            "{face:?}"
        );
        assert_eq!(world.executions.taken.lock().unwrap().len(), 0, "{face:?}");
        let metrics = world.metrics.0.lock().unwrap().clone();
        let failures = metrics.iter().filter(|metric| **metric == Metric::StorageFailure).count();
        assert_eq!(failures, 4, "{face:?}: one for each attempt");

        world.database().execute_batch("ALTER TABLE away RENAME TO callback_results").unwrap();
        let redriven = workflows::callback::redrive(&world.ports).await.unwrap();
        assert_eq!((redriven.delivered, redriven.remaining), (1, 0), "{face:?}");
        // The sender tries again, as it was told 500.
        assert_answer(&world.callback(&success("t", &json!(1))).await, "already_delivered", "t", face);
        assert_eq!(world.executions.taken.lock().unwrap().len(), 1, "{face:?}");
        world.shutdown().await;
    });
    futures_util::future::join_all(faces).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_have_to_prove_what_is_configured_and_a_replay_comes_to_nothing() {
    const KEY: &str = "0123456789abcdef";
    const SECRET: &str = "fedcba9876543210";
    const FAR: &str = "-9223372036854775808";
    let authentication = Authentication {
        api_key: Some(KEY.to_owned()),
        hmac_secret: Some(SECRET.to_owned()),
        ..Authentication::default()
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let body = success("t", &json!(1)).to_string();
    let other = success("t", &json!(2)).to_string();
    for face in Face::ALL {
        let world = World::new(face, authentication.clone()).await;
        world.script("t", Script::Open);
        let send = async |key: &str, age: i64, signed: &str, sent: &str| {
            let timestamp = (now - age).to_string();
            let signature = sign(SECRET, &timestamp, signed.as_bytes());
            let headers = [
                ("x-api-key", key),
                ("x-callback-timestamp", timestamp.as_str()),
                ("x-callback-signature", signature.as_str()),
            ];
            world.send(&headers, sent.as_bytes()).await
        };
        let prove = async |timestamp: &str, signature: &str| {
            let headers = [
                ("x-api-key", KEY),
                ("x-callback-timestamp", timestamp),
                ("x-callback-signature", signature),
            ];
            world.send(&headers, body.as_bytes()).await
        };
        for (what, answer) in [
            ("nothing", world.send(&[], body.as_bytes()).await),
            ("only a key", world.send(&[("x-api-key", KEY)], body.as_bytes()).await),
            ("a wrong key", send("0123456789abcdeF", 0, &body, &body).await),
            ("another body", send(KEY, 0, &body, &other).await),
            ("a clock an hour behind", send(KEY, 3600, &body, &body).await),
            ("a clock an hour ahead", send(KEY, -3600, &body, &body).await),
            ("a signature older than the window", send(KEY, 330, &body, &body).await),
            ("a signature from the future", send(KEY, -330, &body, &body).await),
            ("a signature that is none", prove(&now.to_string(), "sha256=").await),
            ("a signature that is no number", prove(&now.to_string(), "sha256=zz").await),
            ("no time at all", prove("", &sign(SECRET, "", body.as_bytes())).await),
            ("a time in words", prove("now", &sign(SECRET, "now", body.as_bytes())).await),
            ("a time beyond all times", prove(FAR, &sign(SECRET, FAR, body.as_bytes())).await),
        ] {
            assert_eq!(answer.0, 401, "{face:?} {what}: {}", answer.1);
            assert!(!answer.1.to_string().contains(KEY), "{what}");
        }
        assert_eq!((world.stored(), world.handler_executions().await), (0, 0), "{face:?}");

        // Somebody who listens in can say only what was said already, and only for a while.
        let (status, answer) = send(KEY, 240, &body, &body).await;
        assert_eq!((status, &answer["status"]), (200, &json!("callback_delivered")), "{face:?}");
        let (status, answer) = send(KEY, 240, &body, &body).await;
        assert_eq!((status, &answer["status"]), (200, &json!("already_delivered")), "{face:?}");
        assert_eq!(world.executions.taken.lock().unwrap().len(), 1);
        // A clock that is minutes ahead is as good as one that is behind.
        world.script("ahead", Script::Open);
        let ahead = success("ahead", &json!(1)).to_string();
        assert_eq!(send(KEY, -240, &ahead, &ahead).await.0, 200, "{face:?}");
        world.shutdown().await;
    }
}
