//! What functions write, by execution.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::support::{Client, encode, scripted, server_with};

async fn lines(client: &Client, arn: &str, query: &str) -> Value {
    client.get(&format!("/_durable/durable-executions/{}/logs{query}", encode(arn))).await.ok()
}

fn texts(page: &Value) -> Vec<&str> {
    page["Lines"].as_array().unwrap().iter().map(|line| line["Text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lines_belong_to_the_execution_during_which_they_were_written() {
    let (_server, client) = server_with(scripted()).await;
    let mut arns = Vec::new();
    for number in 0..3 {
        let script = json!({ "script": [{ "print": format!("out {number}\nmore") }, { "complain": format!("err {number}") }] });
        let answer = client.invoke("f", &[("X-Amz-Log-Type", "Tail")], script.to_string().as_bytes()).await;
        let tail = BASE64_STANDARD.decode(answer.header("x-amz-log-result").unwrap()).unwrap();
        let tail = String::from_utf8(tail).unwrap();
        assert!(
            tail.contains(&format!("out {number}\n")) && tail.contains(&format!("err {number}\n")),
            "{tail}"
        );
        arns.push(answer.header("x-amz-durable-execution-arn").unwrap().to_owned());
    }
    for (number, arn) in arns.iter().enumerate() {
        let page = lines(&client, arn, "").await;
        let mut texts = texts(&page);
        texts.sort_unstable();
        assert_eq!(texts, [format!("err {number}"), "more".into(), format!("out {number}")]);
        let first = &page["Lines"][0];
        assert_eq!(first["Function"], "f");
        let completed = client.event(arn, "InvocationCompleted").await;
        assert_eq!(first["RequestId"], completed["InvocationCompletedDetails"]["RequestId"]);
        let err = page["Lines"].as_array().unwrap().iter().find(|line| line["Stream"] == "stderr").unwrap();
        assert_eq!(err["Text"], format!("err {number}"));
    }
}

#[tokio::test]
async fn logs_have_pages_that_can_be_followed() {
    let (_server, client) = server_with(scripted()).await;
    let script: Vec<_> = (0..5).map(|number| json!({ "print": format!("line {number}") })).collect();
    let arn = client.start("f", None, &json!({ "script": script })).await;
    client.ended(&arn).await;
    let first = lines(&client, &arn, "?MaxItems=3").await;
    assert_eq!((texts(&first), &first["HasMore"]), (vec!["line 0", "line 1", "line 2"], &json!(true)));
    let marker = first["NextMarker"].as_str().unwrap();
    let rest = lines(&client, &arn, &format!("?Marker={marker}")).await;
    assert_eq!((texts(&rest), &rest["HasMore"]), (vec!["line 3", "line 4"], &json!(false)));
    let nothing = lines(&client, &arn, "?Marker=5").await;
    assert_eq!((texts(&nothing), &nothing["NextMarker"]), (vec![], &json!("5")));
}

#[tokio::test]
async fn the_last_words_of_a_process_are_kept() {
    let (_server, client) = server_with(scripted()).await;
    let script = json!({ "script": [{ "complain": "I am dying" }, { "exit": 1 }] });
    let arn = client.start("f", None, &script).await;
    client.event(&arn, "InvocationCompleted").await;
    assert!(texts(&lines(&client, &arn, "").await).contains(&"I am dying"));
}
