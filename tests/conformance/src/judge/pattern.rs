//! One value against what is expected of it.
//!
//! | expected | matches |
//! | --- | --- |
//! | `"*"`, `{}` | anything that is there |
//! | `"${NAME}"` | anything at first; the same from then on |
//! | `"${/regex/}"` | what the expression finds something in, as text |
//! | text with `${NAME}` | the text with the values filled in |
//! | an object | an object with at least these members |
//! | a list | a list of the same length |
//! | anything else | the same |

use regex::Regex;
use serde_json::{Map, Value};

use super::variables::{Variables, plain_text, whole_name};

/// What is wrong with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mismatch(pub(super) String);

/// Compares the members of an object; `place` says where in a message.
pub(super) fn match_members(
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    place: &str,
    variables: &mut Variables,
    mismatches: &mut Vec<Mismatch>,
) {
    for (name, expected) in expected {
        let place = format!("{place}.{name}");
        match actual.get(name) {
            Some(actual) => match_value(expected, actual, &place, variables, mismatches),
            None => mismatches.push(Mismatch(format!("{place} is missing, expected {expected}"))),
        }
    }
}

fn match_value(
    expected: &Value,
    actual: &Value,
    place: &str,
    variables: &mut Variables,
    mismatches: &mut Vec<Mismatch>,
) {
    let mut wrong = |wanted: String| {
        mismatches.push(Mismatch(format!("{place} is {}, expected {wanted}", shortened(actual))));
    };
    match expected {
        Value::String(text) if text == "*" => {}
        Value::Object(members) if members.is_empty() => {}
        Value::String(text) => {
            if let Some(expression) = text.strip_prefix("${/").and_then(|text| text.strip_suffix("/}")) {
                if !finds(expression, actual) {
                    wrong(format!("something like /{expression}/"));
                }
            } else if let Some(name) = whole_name(text)
                && variables.get(name).is_none()
            {
                variables.bind(name, actual.clone());
            } else {
                let filled = variables.fill(expected);
                if !equal(&filled, actual) {
                    wrong(filled.to_string());
                }
            }
        }
        Value::Object(members) => match actual {
            Value::Object(actual) => match_members(members, actual, place, variables, mismatches),
            _ => wrong(expected.to_string()),
        },
        Value::Array(items) => match actual {
            Value::Array(actual) if actual.len() == items.len() => {
                for (index, (expected, actual)) in items.iter().zip(actual).enumerate() {
                    match_value(expected, actual, &format!("{place}[{index}]"), variables, mismatches);
                }
            }
            _ => wrong(expected.to_string()),
        },
        _ if equal(expected, actual) => {}
        _ => wrong(expected.to_string()),
    }
}

/// Whether the expression finds something in the value as text. An expression that can't be read finds nothing.
pub(super) fn finds(expression: &str, value: &Value) -> bool {
    Regex::new(expression).is_ok_and(|expression| expression.is_match(&plain_text(value)))
}

/// Equality in which 2 and 2.0 are the same number, at any depth.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

/// A value for a message.
pub(super) fn shortened(value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mismatches(expected: &Value, actual: &Value) -> Vec<String> {
        let mut mismatches = Vec::new();
        match_value(expected, actual, "it", &mut Variables::default(), &mut mismatches);
        mismatches.into_iter().map(|mismatch| mismatch.0).collect()
    }

    #[test]
    fn what_is_there_matches_a_wildcard_and_what_is_missing_does_not() {
        assert!(mismatches(&json!({"a": "*", "b": {}}), &json!({"a": null, "b": 1, "c": 2})).is_empty());
        assert_eq!(mismatches(&json!({"a": "*"}), &json!({})), ["it.a is missing, expected \"*\""]);
    }

    #[test]
    fn a_name_is_bound_by_the_first_value_and_kept() {
        let expected = json!([{"id": "${A}"}, {"id": "${A}"}]);
        assert!(mismatches(&expected, &json!([{"id": 1}, {"id": 1}])).is_empty());
        assert_eq!(mismatches(&expected, &json!([{"id": 1}, {"id": 2}])), ["it[1].id is 2, expected 1"]);
    }

    #[test]
    fn expressions_search_in_the_text_of_any_value() {
        assert!(mismatches(&json!("${/^[0-5]$/}"), &json!(4)).is_empty());
        assert_eq!(mismatches(&json!("${/^[0-5]$/}"), &json!(6)).len(), 1);
        assert!(mismatches(&json!("${/.*TransientError$/}"), &json!("my.TransientError")).is_empty());
    }

    #[test]
    fn lists_have_the_same_length_and_numbers_the_same_value() {
        assert_eq!(mismatches(&json!([1]), &json!([1, 2])).len(), 1);
        assert!(mismatches(&json!([2]), &json!([2.0])).is_empty());
        assert_eq!(mismatches(&json!(false), &json!("false")).len(), 1);
    }
}
