//! CloudFormation's YAML with its short functions (`!Ref`, `!Sub`, ...), as the JSON that it stands for.

use std::fmt;

use anyhow::{Context as _, Result};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, json};
use serde_saphyr::Tagged;

/// Reads a template; `!Name x` becomes `{"Fn::Name": x}`.
///
/// # Errors
///
/// It is not YAML.
pub(super) fn parse(text: &str) -> Result<Value> {
    let node: Node = serde_saphyr::from_str(text).context("the template is not YAML")?;
    Ok(node.0)
}

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::deserialize(deserializer)?;
        let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')) else { return Ok(Self(value)) };
        Ok(Self(match (name, value) {
            ("Ref" | "Condition", value) => json!({ name: value }),
            ("GetAtt", Value::String(path)) => {
                let (resource, attribute) = path.split_once('.').unwrap_or((&path, ""));
                json!({ "Fn::GetAtt": [resource, attribute] })
            }
            (name, value) => json!({ format!("Fn::{name}"): value }),
        }))
    }
}

struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some((key, Node(value))) = entries.next_entry::<String, Node>()? {
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_functions_become_long_ones() {
        let text = "
A: !Ref Table
B: !GetAtt Queue.Arn
C: !Sub 'arn:${Table}/*'
D: !If [Has, !Ref Topic, !Ref AWS::NoValue]
E: { Fn::Join: [':', [a, 1, true]] }
F: !Not [!Equals [!Ref Name, '']]
G: 60
";
        let expected = json!({
            "A": { "Ref": "Table" },
            "B": { "Fn::GetAtt": ["Queue", "Arn"] },
            "C": { "Fn::Sub": "arn:${Table}/*" },
            "D": { "Fn::If": ["Has", { "Ref": "Topic" }, { "Ref": "AWS::NoValue" }] },
            "E": { "Fn::Join": [":", ["a", 1, true]] },
            "F": { "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Name" }, ""] }] },
            "G": 60,
        });
        assert_eq!(parse(text).unwrap(), expected);
    }
}
