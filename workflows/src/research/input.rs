//! What a research workflow is asked: a topic and optional parameters, valid by construction.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest topic, in characters.
pub const MAX_TOPIC_CHARS: usize = 500;
/// The word limits that a report can have.
pub const WORD_LIMITS: std::ops::RangeInclusive<u32> = 100..=50_000;

/// A topic and how to research it. Deserialising validates: a bad value never exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct ResearchInput {
    topic: String,
    parameters: Parameters,
}

/// How to research a topic; every field is optional. Deserialising validates the form, [`ResearchInput::new`]
/// the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Parameters {
    /// How deep to dig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Depth>,
    /// Which kinds of source to prefer; empty means any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The most words that the report may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word_limit: Option<u32>,
}

/// How deep to dig.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// A quick look.
    Basic,
    /// What a colleague would expect.
    Standard,
    /// Everything there is.
    Comprehensive,
}

/// Which field is wrong, and what was expected of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {expected}")]
pub struct InvalidInput {
    /// The field, as a path such as `parameters.word_limit`.
    pub field: String,
    /// What was expected, and what came instead.
    pub expected: String,
}

impl InvalidInput {
    fn new(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { field: field.into(), expected: expected.into() }
    }

    pub(super) fn required(field: &str) -> Self {
        Self::new(field, "is required")
    }

    pub(super) fn unexpected(field: &str, expected: &str, got: &Value) -> Self {
        Self::new(field, format!("expected {expected}, got {}", kind(got)))
    }
}

impl ResearchInput {
    /// A valid input: the topic trimmed, 1 to 500 characters; the word limit within [`WORD_LIMITS`].
    ///
    /// # Errors
    ///
    /// Names the field that is wrong.
    pub fn new(topic: &str, parameters: Parameters) -> Result<Self, InvalidInput> {
        let topic = topic.trim();
        let length = topic.chars().count();
        if length == 0 {
            return Err(InvalidInput::new("topic", "must not be empty"));
        }
        if length > MAX_TOPIC_CHARS {
            return Err(InvalidInput::new(
                "topic",
                format!("must have at most {MAX_TOPIC_CHARS} characters, has {length}"),
            ));
        }
        if topic.chars().any(char::is_control) {
            return Err(InvalidInput::new("topic", "must be one line without control characters"));
        }
        if let Some(limit) = parameters.word_limit
            && !WORD_LIMITS.contains(&limit)
        {
            return Err(word_limit_error(&limit));
        }
        if parameters.sources.iter().any(|source| source.trim().is_empty()) {
            return Err(InvalidInput::new("parameters.sources", "must not contain empty names"));
        }
        Ok(Self { topic: topic.to_owned(), parameters })
    }

    /// The topic, trimmed.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// How to research it.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

impl TryFrom<Value> for ResearchInput {
    type Error = InvalidInput;

    fn try_from(value: Value) -> Result<Self, InvalidInput> {
        let Value::Object(mut fields) = value else {
            return Err(InvalidInput::unexpected("body", "an object", &value));
        };
        let topic = match fields.remove("topic") {
            Some(Value::String(topic)) => topic,
            Some(other) => return Err(InvalidInput::unexpected("topic", "a string", &other)),
            None => return Err(InvalidInput::required("topic")),
        };
        let parameters = match fields.remove("parameters") {
            None | Some(Value::Null) => Parameters::default(),
            Some(value) => Parameters::try_from(value)?,
        };
        reject_unknown(&fields, "", "topic, parameters")?;
        Self::new(&topic, parameters)
    }
}

impl TryFrom<Value> for Parameters {
    type Error = InvalidInput;

    fn try_from(value: Value) -> Result<Self, InvalidInput> {
        let Value::Object(mut fields) = value else {
            return Err(InvalidInput::unexpected("parameters", "an object", &value));
        };
        let parameters = Self {
            depth: optional(fields.remove("depth"), depth_from)?,
            sources: optional(fields.remove("sources"), sources_from)?.unwrap_or_default(),
            word_limit: optional(fields.remove("word_limit"), word_limit_from)?,
        };
        reject_unknown(&fields, "parameters.", "depth, sources, word_limit")?;
        Ok(parameters)
    }
}

impl std::str::FromStr for Depth {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        match text {
            "basic" => Ok(Self::Basic),
            "standard" => Ok(Self::Standard),
            "comprehensive" => Ok(Self::Comprehensive),
            other => Err(InvalidInput::new(
                "parameters.depth",
                format!("expected basic, standard or comprehensive, got `{}`", excerpt(other)),
            )),
        }
    }
}

fn optional<T>(
    value: Option<Value>,
    read: fn(Value) -> Result<T, InvalidInput>,
) -> Result<Option<T>, InvalidInput> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some),
    }
}

fn depth_from(value: Value) -> Result<Depth, InvalidInput> {
    match value {
        Value::String(text) => text.parse(),
        other => Err(InvalidInput::new(
            "parameters.depth",
            format!("expected basic, standard or comprehensive, got {}", kind(&other)),
        )),
    }
}

fn sources_from(value: Value) -> Result<Vec<String>, InvalidInput> {
    let expected = |got: &Value| {
        InvalidInput::new("parameters.sources", format!("expected a list of strings, got {}", kind(got)))
    };
    let Value::Array(items) = value else { return Err(expected(&value)) };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(source) => Ok(source),
            other => Err(expected(&Value::Array(vec![other]))),
        })
        .collect()
}

fn word_limit_from(value: Value) -> Result<u32, InvalidInput> {
    value.as_u64().and_then(|limit| u32::try_from(limit).ok()).ok_or_else(|| word_limit_error(&value))
}

fn word_limit_error(got: &dyn fmt::Display) -> InvalidInput {
    let (least, most) = (WORD_LIMITS.start(), WORD_LIMITS.end());
    InvalidInput::new(
        "parameters.word_limit",
        format!("expected a whole number from {least} to {most}, got {}", excerpt(&got.to_string())),
    )
}

pub(super) fn reject_unknown(
    fields: &serde_json::Map<String, Value>,
    prefix: &str,
    known: &str,
) -> Result<(), InvalidInput> {
    match fields.keys().next() {
        None => Ok(()),
        Some(name) => Err(InvalidInput::new(
            format!("{prefix}{}", excerpt(name)),
            format!("is not a known field; known are: {known}"),
        )),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Keeps what a caller sent from flooding the message that is sent back.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<ResearchInput, InvalidInput> {
        ResearchInput::try_from(value)
    }

    #[test]
    fn the_topic_is_trimmed_and_everything_else_is_optional() {
        let input = parse(json!({ "topic": "  structured concurrency\n" })).unwrap();
        assert_eq!(input.topic(), "structured concurrency");
        assert_eq!(input.parameters(), &Parameters::default());
    }

    #[test]
    fn a_full_input_survives_a_round_trip() {
        let value = json!({
            "topic": "t",
            "parameters": { "depth": "comprehensive", "sources": ["academic"], "word_limit": 5000 },
        });
        let input = parse(value.clone()).unwrap();
        assert_eq!(serde_json::to_value(&input).unwrap(), value);
        assert_eq!(serde_json::from_value::<ResearchInput>(value).unwrap(), input);
    }

    #[test]
    fn each_mistake_is_named_by_its_field() {
        let long = "x".repeat(MAX_TOPIC_CHARS + 1);
        for (value, field) in [
            (json!([]), "body"),
            (json!({}), "topic"),
            (json!({ "topic": 7 }), "topic"),
            (json!({ "topic": "" }), "topic"),
            (json!({ "topic": " \t " }), "topic"),
            (json!({ "topic": long }), "topic"),
            (json!({ "topic": "a\nb" }), "topic"),
            (json!({ "topic": "t", "colour": 1 }), "colour"),
            (json!({ "topic": "t", "parameters": [] }), "parameters"),
            (json!({ "topic": "t", "parameters": { "tone": "grave" } }), "parameters.tone"),
            (json!({ "topic": "t", "parameters": { "depth": "abyssal" } }), "parameters.depth"),
            (json!({ "topic": "t", "parameters": { "depth": 3 } }), "parameters.depth"),
            (json!({ "topic": "t", "parameters": { "sources": "academic" } }), "parameters.sources"),
            (json!({ "topic": "t", "parameters": { "sources": [1] } }), "parameters.sources"),
            (json!({ "topic": "t", "parameters": { "sources": [" "] } }), "parameters.sources"),
            (json!({ "topic": "t", "parameters": { "word_limit": 99 } }), "parameters.word_limit"),
            (json!({ "topic": "t", "parameters": { "word_limit": 50_001 } }), "parameters.word_limit"),
            (json!({ "topic": "t", "parameters": { "word_limit": -1 } }), "parameters.word_limit"),
            (json!({ "topic": "t", "parameters": { "word_limit": "5000" } }), "parameters.word_limit"),
        ] {
            assert_eq!(parse(value.clone()).unwrap_err().field, field, "{value}");
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        for limit in [100, 50_000] {
            let value = json!({ "topic": "t", "parameters": { "word_limit": limit } });
            assert_eq!(parse(value).unwrap().parameters().word_limit, Some(limit));
        }
        let ümlaute = "ü".repeat(MAX_TOPIC_CHARS);
        assert!(parse(json!({ "topic": ümlaute })).is_ok());
    }
}
