//! One JSON object for each line, as Lambda's log format has them, with the fields of the spans at top level.

use std::{env, fmt, io::Write as _};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt as _, Targets},
    fmt::MakeWriter,
    layer::{Context, SubscriberExt as _},
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt as _,
};

use super::clock::LambdaClock;
use crate::{environment::Clock as _, logging::ReplayFilter};

/// Logs to standard output as JSON, silent on replay, with `requestId` and `executionArn` as top-level members.
///
/// The level is the one of the function's logging configuration (`AWS_LAMBDA_LOG_LEVEL`), else `RUST_LOG` in the form
/// `warn,my_crate=debug`, else `INFO`. Does nothing when the program has a `tracing` subscriber already; with your
/// own, take [`ReplayFilter`] along.
pub fn init_logging() {
    let levels = levels(env::var("AWS_LAMBDA_LOG_LEVEL").ok(), env::var("RUST_LOG").ok());
    let layer = JsonLines::new(std::io::stdout).with_filter(ReplayFilter.and(levels));
    // Whoever was first decides; a second call is no mistake worth a panic at start-up.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

fn levels(configured: Option<String>, rust_log: Option<String>) -> Targets {
    let configured = configured.and_then(|level| match level.as_str() {
        // Lambda has one level more than `tracing`.
        "FATAL" => Some(LevelFilter::ERROR),
        level => level.parse().ok(),
    });
    let default = || Targets::new().with_default(LevelFilter::INFO);
    match configured {
        Some(level) => Targets::new().with_default(level),
        None => rust_log.and_then(|directives| directives.parse().ok()).unwrap_or_else(default),
    }
}

struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    const fn new(writer: W) -> Self {
        Self { writer }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: Option<Value>,
    target: &'a str,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// Members that a field of the same name must not replace or repeat.
const RESERVED: [&str; 4] = ["timestamp", "level", "message", "target"];

/// The fields of one span or event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.clone());
            }
        }
        // A span's `message` is no message of this event.
        fields.0.remove("message");
        event.record(&mut fields);
        self.write(event.metadata(), fields.0);
    }
}

impl<W: for<'a> MakeWriter<'a>> JsonLines<W> {
    fn write(&self, metadata: &Metadata<'_>, mut fields: Map<String, Value>) {
        let message = fields.remove("message");
        for reserved in RESERVED {
            fields.remove(reserved);
        }
        let line = Line {
            timestamp: LambdaClock.now().to_string(),
            level: level_name(*metadata.level()),
            message,
            target: metadata.target(),
            fields,
        };
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            // There is no place left to say that a log line could not be written.
            let _ = self.writer.make_writer_for(metadata).write_all(&bytes);
        }
    }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        // A raw identifier such as `r#type` is a field named `type`.
        let name = field.name();
        self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(body: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = JsonLines::new(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), body);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_of_spans_are_top_level_members_also_when_they_are_recorded_late() {
        let lines = logged(|| {
            let span =
                tracing::info_span!("invocation", requestId = "r1", executionArn = tracing::field::Empty);
            span.record("executionArn", "arn:1");
            span.in_scope(|| {
                tracing::info_span!("inner", order = 7).in_scope(|| tracing::warn!(ok = true, "late"));
            });
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!((&line["requestId"], &line["executionArn"]), (&Value::from("r1"), &Value::from("arn:1")));
        assert_eq!((&line["order"], &line["ok"]), (&Value::from(7), &Value::from(true)));
        assert_eq!((&line["level"], &line["message"]), (&Value::from("WARN"), &Value::from("late")));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn no_field_replaces_a_member_that_lambda_reads() {
        let lines = logged(|| {
            tracing::info_span!("outer", message = "of the span", level = 9)
                .in_scope(|| tracing::info!(level = 3));
        });
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["message"], Value::Null);
    }

    #[test]
    fn the_functions_configuration_decides_the_level_then_rust_log() {
        let enabled = |targets: &Targets, level| targets.would_enable("my_crate", &level);
        let configured = levels(Some("FATAL".into()), Some("trace".into()));
        assert!(enabled(&configured, Level::ERROR) && !enabled(&configured, Level::WARN));
        let from_rust_log = levels(None, Some("warn,my_crate=debug".into()));
        assert!(enabled(&from_rust_log, Level::DEBUG) && !from_rust_log.would_enable("other", &Level::INFO));
        let default = levels(None, None);
        assert!(enabled(&default, Level::INFO) && !enabled(&default, Level::DEBUG));
    }
}
