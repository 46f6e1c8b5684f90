//! Updates on their way to the service: queued in program order, sent in batches, acknowledged in order.

use std::collections::VecDeque;

use crate::protocol::{OperationUpdate, limits};

/// Whether an update asks for a checkpoint call of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Something waits for it: send it as soon as no call is in flight.
    Urgent,
    /// Travels with the next urgent one. The START of an at-least-once step or of a context: losing it loses
    /// nothing, since the next invocation would simply begin again.
    Lazy,
}

/// A position in the order of updates. Everything up to it is durable or nothing is.
pub(crate) type Sequence = u64;

struct Queued {
    sequence: Sequence,
    update: OperationUpdate,
}

#[derive(Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Queued>,
    last: Sequence,
    last_urgent: Sequence,
    sent: Sequence,
    durable: Sequence,
}

impl Outbox {
    pub(crate) fn push(&mut self, update: OperationUpdate, urgency: Urgency) -> Sequence {
        self.last += 1;
        if urgency == Urgency::Urgent {
            self.last_urgent = self.last;
        }
        self.queue.push_back(Queued { sequence: self.last, update });
        self.last
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn has_urgent(&self) -> bool {
        self.last_urgent > self.sent
    }

    pub(crate) fn is_durable(&self, sequence: Sequence) -> bool {
        self.durable >= sequence
    }

    /// The first update that waits to be sent.
    pub(crate) fn first(&self) -> Option<&OperationUpdate> {
        self.queue.front().map(|queued| &queued.update)
    }

    /// The next batch, cut by the service's limits; a single oversized update travels alone.
    pub(crate) fn take_batch(&mut self) -> Vec<OperationUpdate> {
        let mut batch = Vec::with_capacity(self.queue.len().min(limits::BATCH_UPDATES));
        let mut bytes = 0;
        while let Some(next) = self.queue.front() {
            bytes += wire_size(&next.update);
            if batch.len() == limits::BATCH_UPDATES || (bytes > limits::BATCH_BYTES && !batch.is_empty()) {
                break;
            }
            self.sent = next.sequence;
            batch.extend(self.queue.pop_front().map(|queued| queued.update));
        }
        batch
    }

    /// Everything sent so far is durable.
    pub(crate) fn acknowledge(&mut self) {
        self.durable = self.sent;
    }

    /// Forgets what was not sent.
    pub(crate) fn discard(&mut self) {
        self.queue.clear();
        self.last_urgent = self.sent;
    }
}

/// An upper bound of an update's JSON, without making it: members, ids and fixed options take under 400 bytes.
fn wire_size(update: &OperationUpdate) -> usize {
    let error = update.error.as_ref().map_or(0, |error| {
        [&error.error_message, &error.error_type, &error.error_data]
            .into_iter()
            .flatten()
            .chain(error.stack_trace.iter().flatten())
            .map(|text| escaped_len(text) + 24)
            .sum()
    });
    let invoke = update.chained_invoke_options.as_ref().map_or(0, |options| {
        [Some(&options.function_name), options.tenant_id.as_ref(), options.x_amzn_trace_id.as_ref()]
            .into_iter()
            .flatten()
            .map(|text| escaped_len(text) + 24)
            .sum()
    });
    400 + invoke
        + update.name.as_ref().map_or(0, |name| escaped_len(name))
        + update.payload.as_ref().map_or(0, |payload| escaped_len(payload))
        + error
}

/// Bytes of `text` as a JSON string.
pub(crate) fn escaped_len(text: &str) -> usize {
    2 + text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{OperationAction, OperationId, OperationType, Payload};

    fn update(payload: usize) -> OperationUpdate {
        let mut update =
            OperationUpdate::new(OperationId::new("a"), OperationType::Step, OperationAction::Succeed);
        update.payload = Some(Payload::from("x".repeat(payload)));
        update
    }

    #[test]
    fn batches_are_cut_by_count_and_bytes_and_keep_their_order() {
        let mut outbox = Outbox::default();
        for _ in 0..600 {
            outbox.push(update(1), Urgency::Urgent);
        }
        assert_eq!([outbox.take_batch().len(), outbox.take_batch().len()], [250, 250]);
        outbox.acknowledge();
        assert!(outbox.is_durable(500) && !outbox.is_durable(501) && outbox.has_urgent());
        outbox.take_batch();
        outbox.push(update(700_000), Urgency::Urgent);
        outbox.push(update(700_000), Urgency::Urgent);
        outbox.push(update(2_000_000), Urgency::Lazy);
        assert_eq!([1, 1, 1, 0], [(); 4].map(|()| outbox.take_batch().len()));
    }

    #[test]
    fn a_lazy_update_asks_for_nothing() {
        let mut outbox = Outbox::default();
        outbox.push(update(1), Urgency::Lazy);
        assert!(!outbox.has_urgent() && !outbox.is_empty());
        outbox.push(update(1), Urgency::Urgent);
        assert!(outbox.has_urgent());
        assert_eq!(outbox.take_batch().len(), 2);
        assert!(!outbox.has_urgent());
    }

    #[test]
    fn the_size_is_never_underestimated() {
        let mut big = update(10);
        big.payload = Some(Payload::from("\"\\\n\u{1}ä".repeat(50)));
        big.error = Some(crate::protocol::ErrorObject::new("Type", "\"message\""));
        big.chained_invoke_options = Some(crate::protocol::ChainedInvokeOptions {
            function_name: "f".repeat(256),
            tenant_id: Some("t".repeat(256)),
            x_amzn_trace_id: Some("x".repeat(100)),
        });
        assert!(wire_size(&big) >= serde_json::to_string(&big).unwrap().len());
    }
}
