//! An exporter that keeps what it gets, and the tree of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use opentelemetry::{
    KeyValue,
    trace::{SpanId, Status, TraceId},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Collected(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Collected {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

impl Collected {
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn named(&self, name: &str) -> SpanData {
        let mut found: Vec<_> = self.spans().into_iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "spans named {name}");
        found.remove(0)
    }

    /// The one trace that all spans are in, each exported once.
    pub(crate) fn trace_id(&self) -> TraceId {
        let spans = self.spans();
        let traces: BTreeSet<_> = spans.iter().map(|span| span.span_context.trace_id().to_bytes()).collect();
        assert_eq!(traces.len(), 1, "all spans are in one trace");
        let ids: BTreeSet<_> = spans.iter().map(|span| span.span_context.span_id().to_bytes()).collect();
        assert_eq!(ids.len(), spans.len(), "no span is exported twice");
        spans[0].span_context.trace_id()
    }

    /// One line for each span, below its parent and in order of time: its name, from which second of the execution
    /// to which, and its status.
    pub(crate) fn tree(&self) -> Vec<String> {
        let trace = self.trace_id();
        assert_ne!(trace, TraceId::INVALID);
        let mut spans = self.spans();
        let begin = spans.iter().map(|span| span.start_time).min().unwrap();
        // A stable sort: what begins and ends at the same time stays in the order of export.
        spans.sort_by_key(|span| (span.start_time, span.end_time));
        let known: BTreeSet<_> = spans.iter().map(|span| span.span_context.span_id().to_bytes()).collect();
        let mut children: BTreeMap<_, Vec<&SpanData>> = BTreeMap::new();
        for span in &spans {
            let parent = span.parent_span_id;
            assert!(
                parent == SpanId::INVALID || span.parent_span_is_remote || known.contains(&parent.to_bytes()),
                "the parent of {} is missing",
                span.name
            );
            let parent = if span.parent_span_is_remote { SpanId::INVALID } else { parent };
            children.entry(parent.to_bytes()).or_default().push(span);
        }
        let mut lines = Vec::new();
        draw(&children, SpanId::INVALID, 0, begin, &mut lines);
        assert_eq!(lines.len(), spans.len(), "every span hangs below the root");
        lines
    }
}

fn draw(
    children: &BTreeMap<[u8; 8], Vec<&SpanData>>,
    parent: SpanId,
    depth: usize,
    begin: SystemTime,
    lines: &mut Vec<String>,
) {
    for span in children.get(&parent.to_bytes()).into_iter().flatten() {
        let second = |moment: SystemTime| moment.duration_since(begin).unwrap().as_secs();
        let status = match &span.status {
            Status::Unset => "unset".to_owned(),
            Status::Ok => "ok".to_owned(),
            Status::Error { description } => format!("error: {description}"),
        };
        let note = ["durable.invocation.status", "durable.span.truncated_at_invocation_boundary"]
            .into_iter()
            .find_map(|key| attribute(span, key))
            .map(|value| format!(" {value}"))
            .unwrap_or_default();
        lines.push(format!(
            "{}{} {}..{} {status}{note}",
            "  ".repeat(depth),
            span.name,
            second(span.start_time),
            second(span.end_time)
        ));
        draw(children, span.span_context.span_id(), depth + 1, begin, lines);
    }
}

pub(crate) fn attribute(span: &SpanData, key: &str) -> Option<String> {
    let found = |attribute: &&KeyValue| attribute.key.as_str() == key;
    span.attributes.iter().find(found).map(|attribute| attribute.value.as_str().into_owned())
}

pub(crate) fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    span.attributes
        .iter()
        .map(|attribute| (attribute.key.to_string(), attribute.value.as_str().into_owned()))
        .collect()
}
