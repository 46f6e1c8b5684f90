//! Values with names: given by a requirement, or bound by what is seen first.

use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

/// What is known under each name.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(HashMap<String, Value>);

impl Variables {
    /// The variables of a requirement, with their generated parts.
    pub(super) fn new(declared: &Map<String, Value>) -> Self {
        let value = |value: &Value| match value {
            Value::String(text) => Value::String(generate(text)),
            other => other.clone(),
        };
        Self(declared.iter().map(|(name, declared)| (name.clone(), value(declared))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn bind(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// `value` with each `${NAME}` that is known replaced, in all of its texts.
    pub(super) fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match whole_name(text).and_then(|name| self.get(name)) {
                // A value stands for itself, also when it is no text.
                Some(value) => value.clone(),
                None => Value::String(self.fill_text(text)),
            },
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill(item)).collect()),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, member)| (name.clone(), self.fill(member))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// `text` with each `${NAME}` that is known replaced.
    pub(super) fn fill_text(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            match after.split_once('}').and_then(|(name, after)| Some((self.get(name)?, after))) {
                Some((value, after)) => {
                    filled.push_str(&plain_text(value));
                    rest = after;
                }
                None => {
                    filled.push_str("${");
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// The name in a text that is nothing but `${NAME}`.
pub(super) fn whole_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}

/// A value as text, without the quotes of one that is text already.
pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Replaces each `${GEN_STR:n}` by n random letters and digits.
fn generate(text: &str) -> String {
    let generator = Regex::new(r"\$\{GEN_STR:(\d+)\}").expect("the pattern is fixed");
    let random = |captures: &regex::Captures<'_>| {
        let length = captures.get(1).and_then(|digits| digits.as_str().parse().ok()).unwrap_or(0);
        let mut letters = String::new();
        while letters.len() < length {
            letters.push_str(&uuid::Uuid::new_v4().simple().to_string());
        }
        letters.truncate(length);
        letters
    };
    generator.replace_all(text, random).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_names_are_filled_in_and_others_stay() {
        let mut variables = Variables::default();
        variables.bind("A", json!("x"));
        variables.bind("N", json!(7));
        assert_eq!(variables.fill_text("\"${A}\" ${B} ${N} ${"), "\"x\" ${B} 7 ${");
        assert_eq!(variables.fill(&json!({"a": ["${N}"]})), json!({"a": [7]}));
    }

    #[test]
    fn generated_texts_have_their_length_and_differ() {
        let declared = json!({"A": "${GEN_STR:40}", "B": "${GEN_STR:8}-${GEN_STR:8}"});
        let variables = Variables::new(declared.as_object().unwrap());
        assert_eq!(variables.get("A").and_then(Value::as_str).map(str::len), Some(40));
        let both = variables.get("B").and_then(Value::as_str).unwrap();
        let (first, second) = both.split_once('-').unwrap();
        assert_ne!(first, second);
    }
}
