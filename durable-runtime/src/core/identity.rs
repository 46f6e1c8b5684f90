//! Deterministic identities: `hash(namespace, kind, name, occurrence)`.
//!
//! An identity survives edits elsewhere in the function, because it counts only operations of the same kind
//! and name in the same namespace. Changing anything here changes the identity of every recorded operation:
//! executions in flight would no longer find their history.

use std::hash::Hasher as _;

use rustc_hash::FxHashMap;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::protocol::OperationId;

/// Where operations take their identities from: the execution, a child context, or one branch of a group.
pub(crate) struct Namespace {
    seed: SipHasher13,
    occurrences: FxHashMap<u128, u64>,
}

impl Namespace {
    /// The namespace of the execution itself.
    pub(crate) fn root() -> Self {
        Self::from_text("")
    }

    /// The namespace of what runs inside operation `owner`.
    pub(crate) fn of(owner: &OperationId) -> Self {
        Self::from_text(owner.as_str())
    }

    fn from_text(text: &str) -> Self {
        let mut seed = SipHasher13::new();
        seed.write(text.as_bytes());
        seed.write_u8(SEPARATOR);
        Self { seed, occurrences: FxHashMap::default() }
    }

    /// The identity of the next operation of this kind and name.
    pub(crate) fn next(&mut self, kind: &str, name: &str) -> OperationId {
        let first = self.hash(kind, name);
        let occurrence = self.occurrences.entry(first).or_default();
        *occurrence += 1;
        if *occurrence == 1 {
            return to_id(first);
        }
        let mut hasher = SipHasher13::new();
        hasher.write(&first.to_le_bytes());
        hasher.write(&occurrence.to_le_bytes());
        to_id(hasher.finish128().as_u128())
    }

    /// The identity of something that is unique in its namespace, such as branch `key` of a group.
    pub(crate) fn keyed(&self, kind: &str, key: &str) -> OperationId {
        to_id(self.hash(kind, key))
    }

    fn hash(&self, kind: &str, name: &str) -> u128 {
        let mut hasher = self.seed;
        hasher.write(kind.as_bytes());
        hasher.write_u8(SEPARATOR);
        hasher.write(name.as_bytes());
        hasher.finish128().as_u128()
    }
}

/// Cannot occur in UTF-8, so no two different pairs concatenate to the same bytes.
const SEPARATOR: u8 = 0xff;

/// 96 bits as 24 hex digits: short enough to be stored inline, and among 30,000 operations two collide with
/// a probability below 1e-20.
fn to_id(hash: u128) -> OperationId {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 24];
    for (index, digit) in text.iter_mut().enumerate() {
        let nibble = (hash >> (index * 4)) & 0xf;
        *digit = HEX.get(nibble as usize).copied().unwrap_or(b'0');
    }
    OperationId::new(std::str::from_utf8(&text).unwrap_or_default())
}

/// A value in `0.0..1.0` that depends only on its arguments: jitter that needs no recording.
pub(crate) fn unit_interval(execution: &str, operation: &str, draw: u64) -> f64 {
    // 53 bits are exactly what an f64 can hold.
    (derived_bits(execution, operation, draw) as u64 >> 11) as f64 / (1_u64 << 53) as f64
}

/// 128 bits that depend only on their arguments.
pub(crate) fn derived_bits(execution: &str, operation: &str, draw: u64) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(execution.as_bytes());
    hasher.write_u8(SEPARATOR);
    hasher.write(operation.as_bytes());
    hasher.write_u8(SEPARATOR);
    hasher.write(&draw.to_le_bytes());
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_never_change() {
        let mut root = Namespace::root();
        let ids: Vec<String> = [("Step", "charge"), ("Step", "charge"), ("Wait", "")]
            .into_iter()
            .map(|(kind, name)| root.next(kind, name).to_string())
            .collect();
        // Recorded histories depend on these very texts.
        assert_eq!(ids, ["819fa5000bc5e694fffcbc87", "c109f39bfca9beb967e36afb", "f349565bc8341a4ceb73e473"]);
        assert!(ids.iter().all(|id| id.len() == 24));
    }

    #[test]
    fn an_operation_with_another_name_in_front_changes_nothing() {
        let mut before = Namespace::root();
        let mut after = Namespace::root();
        after.next("Step", "inserted");
        assert_eq!(before.next("Step", "charge"), after.next("Step", "charge"));
        assert_eq!(before.next("Step", "charge"), after.next("Step", "charge"));
    }

    #[test]
    fn namespaces_kinds_names_and_occurrences_all_count() {
        let mut root = Namespace::root();
        let first = root.next("Step", "a");
        let mut inner = Namespace::of(&first);
        let all = [
            first,
            root.next("Step", "a"),
            root.next("Wait", "a"),
            root.next("Step", "b"),
            inner.next("Step", "a"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn the_unit_interval_is_one() {
        for draw in 0..1000 {
            let value = unit_interval("arn", "op", draw);
            assert!((0.0..1.0).contains(&value));
        }
    }
}
