//! Ids that every invocation of an execution derives anew, so that they need not be stored.
//!
//! The SDK takes ids from the provider's generator alone. So the plugin puts the id that the next span shall
//! have into a thread-local, from which [`DurableIds`] takes it.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use crate::{
    core::identity::derived_bits,
    protocol::{OperationId, Timestamp},
};

/// Which number is drawn for span ids: the others belong to the jitter of attempts.
const SPAN: u64 = u64::MAX;
const TRACE: u64 = u64::MAX - 1;

/// The trace of an execution that is not part of somebody else's. Its first 32 bits are seconds, as X-Ray
/// wants it.
pub(super) fn trace_id(arn: &str, started_at: Option<Timestamp>) -> TraceId {
    let bits = derived_bits(arn, "", TRACE);
    let id = match started_at {
        Some(moment) => {
            let seconds = u32::try_from(moment.as_millis() / 1000).unwrap_or_default();
            (u128::from(seconds) << 96) | (bits >> 32)
        }
        None => bits,
    };
    TraceId::from(id.max(1))
}

/// The span of the execution as a whole.
pub(super) fn workflow_span_id(arn: &str) -> SpanId {
    derived_span_id(arn, "")
}

/// The span of an operation: the same one in every invocation.
pub(super) fn operation_span_id(arn: &str, operation: &OperationId) -> SpanId {
    derived_span_id(arn, operation.as_str())
}

fn derived_span_id(arn: &str, operation: &str) -> SpanId {
    let bits = derived_bits(arn, operation, SPAN).to_le_bytes();
    let [a, b, c, d, e, f, g, h, ..] = bits;
    // Zero is no valid id.
    SpanId::from(u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1))
}

/// What the next span that is built on this thread shall be.
#[derive(Clone, Copy, Debug, Default)]
struct Next {
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    is_durable: bool,
}

thread_local! {
    static NEXT: Cell<Next> = const {
        Cell::new(Next { trace_id: None, span_id: None, is_durable: false })
    };
}

/// Runs `build`, which builds one span of an execution: with these ids, where they are given.
pub(super) fn build_with<T>(trace_id: TraceId, span_id: Option<SpanId>, build: impl FnOnce() -> T) -> T {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            NEXT.take();
        }
    }
    NEXT.set(Next { trace_id: Some(trace_id), span_id, is_durable: true });
    let _clear = Clear;
    build()
}

/// True once, while a span of an execution is being built. Taken, as the ids are, so that a processor that
/// builds spans of its own at that moment builds ordinary ones.
pub(super) fn take_is_durable() -> bool {
    take(|next| std::mem::take(&mut next.is_durable))
}

fn take<T>(read: impl FnOnce(&mut Next) -> T) -> T {
    let mut next = NEXT.get();
    let taken = read(&mut next);
    NEXT.set(next);
    taken
}

/// Derived ids for the spans of executions, random ones for all others.
#[derive(Debug, Default)]
pub(super) struct DurableIds(RandomIdGenerator);

impl IdGenerator for DurableIds {
    fn new_trace_id(&self) -> TraceId {
        take(|next| next.trace_id.take()).unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        take(|next| next.span_id.take()).unwrap_or_else(|| self.0.new_span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        // Invocations of different versions of this program share a trace only while these stay the same.
        let started = Timestamp::from_millis(1_700_000_000_123);
        let ids = [
            trace_id("arn", Some(started)).to_string(),
            trace_id("arn", None).to_string(),
            workflow_span_id("arn").to_string(),
            operation_span_id("arn", &OperationId::new("op")).to_string(),
        ];
        let expected = [
            "6553f100d6b812a2db6f0c95e97c4d14",
            "d6b812a2db6f0c95e97c4d14deed85c5",
            "eba220ea1e621f20",
            "1247b85ec1110b47",
        ];
        assert_eq!(ids, expected);
    }

    #[test]
    fn a_derived_id_is_taken_once_and_forgotten_afterwards() {
        let (trace, span) = (TraceId::from(7_u128), SpanId::from(9_u64));
        let ids = DurableIds::default();
        build_with(trace, Some(span), || {
            assert_eq!(ids.new_span_id(), span);
            assert_ne!(ids.new_span_id(), span);
            assert!(take_is_durable() && !take_is_durable());
        });
        assert_ne!(ids.new_trace_id(), trace);
    }
}
