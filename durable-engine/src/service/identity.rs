//! Keys, ids, ARNs and function references.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The account of everything that is local.
const ACCOUNT: &str = "000000000000";
/// What stands between the function's ARN and the execution's name.
const DURABLE_EXECUTION: &str = "/durable-execution/";

/// An execution's number in its store, in order of creation.
///
/// The key is part of the execution's id and of its callback ids, so that looking one of these up needs no
/// index, and a write has no index to maintain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionKey(i64);

impl ExecutionKey {
    /// The key with this number.
    #[must_use]
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// The ARN of an execution, taken apart.
///
/// `arn:<partition>:lambda:<region>:000000000000:function:<function>:$LATEST/durable-execution/<name>/<id>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionArn<'a> {
    /// The region it says it is in; empty when it says none.
    pub region: &'a str,
    /// The function that it runs.
    pub function: &'a str,
    /// The execution's name, unique for its function.
    pub name: &'a str,
    /// The execution's id: its key in hexadecimal digits, a dash and 16 random digits.
    pub id: &'a str,
}

impl<'a> ExecutionArn<'a> {
    /// Takes an ARN apart; `None` when it is not the ARN of an execution.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<Self> {
        let (function, execution) = arn.split_once(DURABLE_EXECUTION)?;
        let (name, id) = execution.split_once('/')?;
        (!name.is_empty() && !id.is_empty()).then(|| Self {
            region: function.split(':').nth(3).unwrap_or_default(),
            function: function_of_reference(function),
            name,
            id,
        })
    }

    /// The key inside the id.
    #[must_use]
    pub fn key(&self) -> Option<ExecutionKey> {
        key_of_id(self.id)
    }
}

impl fmt::Display for ExecutionArn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = function_arn(self.region, self.function);
        write!(f, "{function}{DURABLE_EXECUTION}{}/{}", self.name, self.id)
    }
}

/// The ARN of the one version that a local function has.
#[must_use]
pub fn function_arn(region: &str, function: &str) -> String {
    let partition = match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:lambda:{region}:{ACCOUNT}:function:{function}:$LATEST")
}

/// The id of the execution with this key; `nonce` makes it impossible to guess.
pub(super) fn execution_id(key: ExecutionKey, nonce: u64) -> String {
    format!("{:x}-{nonce:016x}", key.0)
}

fn key_of_id(id: &str) -> Option<ExecutionKey> {
    let (key, nonce) = id.split_once('-')?;
    (nonce.len() == 16).then_some(())?;
    i64::from_str_radix(key, 16).ok().map(ExecutionKey)
}

/// The bare name of a function, from a name, `name:qualifier`, a partial ARN or an ARN.
#[must_use]
pub fn function_of_reference(reference: &str) -> &str {
    let after_prefix = match reference.split_once(":function:") {
        Some((_, rest)) => rest,
        None => reference.strip_prefix("function:").unwrap_or(reference),
    };
    after_prefix.split(':').next().unwrap_or(after_prefix)
}

/// The id by which a callback is completed: which execution, which operation, and 64 random bits.
///
/// 40 hexadecimal digits, which are valid base64 text as the service's API model demands, and need no
/// escaping in a URL or a shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackId {
    /// The execution that waits.
    pub execution: ExecutionKey,
    /// The operation's position in the execution.
    pub position: u32,
    /// What nobody can guess.
    pub nonce: u64,
}

impl CallbackId {
    /// Takes a callback id apart; `None` when it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed =
            text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then_some(())?;
        Some(Self {
            execution: ExecutionKey(i64::from_str_radix(text.get(..16)?, 16).ok()?),
            position: u32::from_str_radix(text.get(16..24)?, 16).ok()?,
            nonce: u64::from_str_radix(text.get(24..)?, 16).ok()?,
        })
    }
}

impl fmt::Display for CallbackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:08x}{:016x}", self.execution.0, self.position, self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_reads_back_as_it_was_written() {
        let id = execution_id(ExecutionKey::new(0x2f), 7);
        let arn = ExecutionArn { region: "local", function: "checkout", name: "order-1", id: &id };
        let text = arn.to_string();
        assert_eq!(
            text,
            "arn:aws:lambda:local:000000000000:function:checkout:$LATEST/durable-execution/order-1/2f-0000000000000007"
        );
        assert_eq!(ExecutionArn::parse(&text), Some(arn));
        assert_eq!(arn.key(), Some(ExecutionKey::new(0x2f)));
    }

    #[test]
    fn a_region_says_its_partition() {
        for (region, arn) in [
            ("eu-west-1", "arn:aws:lambda:eu-west-1:000000000000:function:f:$LATEST"),
            ("cn-north-1", "arn:aws-cn:lambda:cn-north-1:000000000000:function:f:$LATEST"),
            ("us-gov-west-1", "arn:aws-us-gov:lambda:us-gov-west-1:000000000000:function:f:$LATEST"),
        ] {
            assert_eq!(function_arn(region, "f"), arn);
            let execution = format!("{arn}/durable-execution/n/1-0000000000000001");
            assert_eq!(ExecutionArn::parse(&execution).map(|arn| arn.to_string()), Some(execution));
        }
    }

    #[test]
    fn texts_that_are_not_arns_are_refused() {
        for text in [
            "",
            "order-1",
            "arn:aws:lambda:local:000000000000:function:f:$LATEST",
            "x/durable-execution/y",
            "x/durable-execution//z",
        ] {
            assert_eq!(ExecutionArn::parse(text), None, "{text}");
        }
        assert_eq!(key_of_id("2f-07"), None);
        assert_eq!(key_of_id("zz-0000000000000007"), None);
    }

    #[test]
    fn every_form_of_a_function_reference_names_the_function() {
        for reference in [
            "checkout",
            "checkout:$LATEST",
            "checkout:7",
            "000000000000:function:checkout:7",
            "function:checkout",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout:prod",
        ] {
            assert_eq!(function_of_reference(reference), "checkout", "{reference}");
        }
    }

    #[test]
    fn a_callback_id_reads_back_and_others_are_refused() {
        let id = CallbackId { execution: ExecutionKey::new(3), position: 12, nonce: u64::MAX };
        assert_eq!(CallbackId::parse(&id.to_string()), Some(id));
        for text in ["", "abc", &id.to_string()[1..], &id.to_string().to_uppercase(), &"+".repeat(40)] {
            assert_eq!(CallbackId::parse(text), None, "{text}");
        }
    }
}
