//! JSON that is wrong: in its shape, in its values, in its text.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Changes one thing somewhere in `value`.
pub(crate) fn change_value(random: &mut Random, value: &mut Value) {
    let descend = random.below(3) > 0;
    match value {
        Value::Object(members) if descend && !members.is_empty() => {
            let key = random.pick(&members.keys().cloned().collect::<Vec<_>>()).clone();
            match random.below(8) {
                0 => drop(members.remove(&key)),
                1 => rename(random, members, &key),
                2 => drop(members.insert(random.text(5, "abcXYZ_-$\u{0}é"), strange(random))),
                _ => change_value(random, members.get_mut(&key).expect("the key is one of its own")),
            }
        }
        Value::Array(items) if descend && !items.is_empty() => {
            let position = random.below(items.len());
            match random.below(6) {
                0 => drop(items.remove(position)),
                1 => items.push(items[position].clone()),
                2 => items.swap(0, position),
                _ => change_value(random, &mut items[position]),
            }
        }
        _ => *value = strange(random),
    }
}

fn rename(random: &mut Random, members: &mut Map<String, Value>, key: &str) {
    if let Some(value) = members.remove(key) {
        let renamed = match random.below(3) {
            0 => key.to_lowercase(),
            1 => format!("{key} "),
            _ => key.to_uppercase(),
        };
        members.insert(renamed, value);
    }
}

/// A value that is hardly what was asked for.
fn strange(random: &mut Random) -> Value {
    match random.below(16) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 => json!(i64::MIN),
        3 => json!(u64::MAX),
        4 => json!(-1),
        5 => json!(1e308),
        6 => json!(0.5),
        7 => json!(""),
        8 => json!("\u{0}\u{1f}\u{7f}\u{2028}\u{fffd}\u{10ffff}"),
        9 => json!("x".repeat(1 << random.below(18))),
        10 => json!([]),
        11 => json!({}),
        12 => json!(["EXECUTION", "STEP", "START"]),
        13 => json!(*random.pick(&["EXECUTION", "STEP", "WAIT", "CALLBACK", "CONTEXT", "CHAINED_INVOKE"])),
        14 => json!(*random.pick(&["START", "SUCCEED", "FAIL", "RETRY", "CANCEL", "step", "good"])),
        _ => {
            let mut nested = json!("deep");
            for _ in 0..random.below(200) {
                nested = if random.one_in(2) { json!([nested]) } else { json!({ "Error": nested }) };
            }
            nested
        }
    }
}

/// A text that is no JSON value, made of one that is.
pub(crate) fn malformed(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut wrong = text.to_vec();
    match random.below(9) {
        0 => wrong.truncate(random.below(text.len().max(1))),
        1 => wrong.extend_from_slice(b"}"),
        2 => wrong = vec![b'['; 1 << random.below(20)],
        3 => wrong = br#"{"a":"#.repeat(1 << random.below(17)),
        4 => wrong = b"{\"a\":\"\xff\xfe\"}".to_vec(),
        5 => wrong = br#"{"a":"\ud800","b":1e99999}"#.repeat(2),
        6 => wrong = b"NaN".to_vec(),
        7 => wrong.insert(random.below(text.len().max(1)), 0),
        _ => wrong = random.bytes(64),
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&wrong).is_ok() || wrong.trim_ascii().is_empty() {
        // It happened to be JSON, or nothing, which is a body too.
        wrong = b"{\"a\" 1}".to_vec();
    }
    wrong
}
