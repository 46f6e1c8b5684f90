//! Bodies that nobody thought of: the answer is 200 or 400, and a refused one leaves nothing behind.

use proptest::{
    collection::vec,
    prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof},
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Map, Value, json};
use workflows::callback::Authentication;

use super::world::{Face, World};

fn value() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop_oneof![Just("SUCCESS"), Just("FAILURE"), Just("HEARTBEAT")].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![Just("type".to_owned()), Just("message".to_owned()), ".{0,6}"];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
    .boxed()
}

/// Documents that nearly keep the table, cut and changed ones of them, and plain noise.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let field = |name: &'static str| {
        proptest::option::weighted(0.8, value().prop_map(move |it| (name.to_owned(), it)))
    };
    let document = (field("token"), field("status"), field("result"), field("error")).prop_map(|fields| {
        let fields = [fields.0, fields.1, fields.2, fields.3].into_iter().flatten();
        Value::Object(fields.collect()).to_string().into_bytes()
    });
    let valid = (".{1,40}", value()).prop_map(|(token, result)| {
        json!({ "token": token, "status": "SUCCESS", "result": result }).to_string().into_bytes()
    });
    let broken =
        (valid.clone(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
            let at = at.index(body.len());
            if byte % 3 == 0 {
                body.truncate(at);
            } else {
                body[at] = byte;
            }
            body
        });
    prop_oneof![document, valid, broken, vec(any::<u8>(), 0..200)]
}

fn fuzz(face: Face, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::new(face, Authentication::default()));
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&body(), |body| {
        let before = world.stored();
        let (status, answer) = runtime.block_on(world.send(&[], &body));
        let fail = |what: &str| Err(TestCaseError::fail(format!("{what}: {status} {answer}")));
        match status {
            200 | 409 => {
                // Whatever is taken is a document with a token, and is on record.
                let document: Value = serde_json::from_slice(&body).unwrap_or_default();
                if document["token"].as_str().is_none_or(str::is_empty) {
                    return fail("taken without a token");
                }
                if world.stored() <= before { fail("nothing stored") } else { Ok(()) }
            }
            400 => {
                let fields = ["body: ", "token: ", "status: ", "result: ", "error: "];
                if !fields.iter().any(|field| answer["error"].as_str().unwrap().starts_with(field)) {
                    return fail("no field is named");
                }
                if world.stored() == before { Ok(()) } else { fail("something was stored") }
            }
            _ => fail("unexpected"),
        }
    });
    outcome.unwrap();
    runtime.block_on(world.shutdown());
}

#[test]
fn the_server_of_one_machine_takes_anything() {
    fuzz(Face::LocalHttp, 300);
}

#[test]
fn the_function_behind_a_gateway_takes_anything() {
    fuzz(Face::RestApi, 150);
    fuzz(Face::HttpApi, 150);
}
