//! Good clients: what they do must work, whatever others send meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::json;

use crate::world::World;

/// An execution that went as it should.
pub(crate) struct Good {
    pub(crate) arn: String,
    /// With the execution itself.
    pub(crate) operations: usize,
}

/// Executes and calls until `over`; panics when anything is not as it should be.
pub(crate) fn run(world: &World, over: &AtomicBool) -> Vec<Good> {
    let mut done = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let number = done.len();
        let name = format!("good-{number}");
        let mut script = vec![json!({ "step": number }), json!({ "large": 20_000 })];
        if number % 10 == 9 {
            script.push(json!({ "wait": 1 }));
        }
        let operations = script.len() + 1;
        script.push(json!({ "return": number }));
        let headers = [("X-Amz-Durable-Execution-Name", name.as_str())];
        let reply = world.api.invoke("good", &headers, &json!({ "script": script }));
        assert_eq!(reply.json(), Some(json!(number)), "{reply:?}");
        assert_eq!(reply.header("x-amz-function-error"), None, "{reply:?}");
        let arn = reply.header("x-amz-durable-execution-arn").expect("an ARN").to_owned();
        let plain = world.api.invoke("plain", &[], &json!({ "return": number }));
        assert_eq!(plain.json(), Some(json!(number)), "{plain:?}");
        done.push(Good { arn, operations });
        std::thread::sleep(Duration::from_millis(20));
    }
    done
}
