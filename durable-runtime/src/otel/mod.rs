//! Each execution as one OpenTelemetry trace, over all of its invocations.
//!
//! [`OtelPlugin`] is a [`Plugin`](crate::plugin::Plugin). It takes the builder of your tracer provider, with your
//! exporter and resource, and builds the provider, which is then also the one for spans of your own:
//!
//! ```
//! use durable_runtime::{environment::Options, otel::OtelPlugin};
//! use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
//!
//! fn traced(exporter: impl SpanExporter + 'static) -> Options {
//!     let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
//!     let plugin = OtelPlugin::new(provider);
//!     opentelemetry::global::set_tracer_provider(plugin.provider().clone());
//!     Options::default().plugin(plugin)
//! }
//! ```
//!
//! # The spans
//!
//! ```text
//! Workflow                     the execution, exported when it ends
//! ├── Invocation               one for each
//! ├── charge                   an operation, exported when it ends, with the service's times
//! │   ├── charge attempt 1     one for each attempt of a step or of a condition's check
//! │   └── charge attempt 2
//! └── ship                     a child context, map, parallel or branch, with its operations below
//!     └── pack
//! ```
//!
//! The ids of trace, workflow and operations are derived from the execution's ARN and the operations' ids. So an
//! operation that begins in one invocation and ends in another is one span, and the invocations, which may run in
//! different processes, agree on everything without storing anything. Operations and attempts are linked to the
//! invocation in which they ended. What is replayed is not exported again. After a crash, an invocation that is
//! made again may export an end again that it learns again: with the same span id, which makes the copy known as
//! one. An end that was recorded but not exported before the crash is missing, and so is the workflow of an execution
//! that is stopped or times out from outside, since no invocation learns of it.
//!
//! | attribute | on | value |
//! | --- | --- | --- |
//! | `durable.execution.arn` | all | |
//! | `durable.execution.status` | workflow | `SUCCEEDED`, `FAILED` |
//! | `durable.invocation.first`, `durable.invocation.status` | invocation | the status also `PENDING`, `RETRYING`, `ABANDONED` |
//! | `faas.invocation_id` | invocation | the host's request id |
//! | `durable.operation.id`, `.name`, `.type`, `.subtype` | operation, attempt | |
//! | `durable.operation.status` | operation | `SUCCEEDED`, `FAILED`, `TIMED_OUT`, … |
//! | `durable.operation.abandoned` | operation | `true` if nobody waits for it any more, as one that lost a race: its span ends with the context or execution around it |
//! | `durable.attempt.number` | attempt, operation with attempts | counted from 1; on an operation how many it took |
//! | `durable.attempt.outcome` | attempt | `SUCCEEDED`, `FAILED` |
//! | `durable.span.truncated_at_invocation_boundary` | attempt | `true` if its code was cut off, with its invocation or its operation |
//! | `error.type` | what failed | with the message as the span's status, and an `exception` event |
//!
//! Names and structure are those of the execution view of AWS's plugin for its Python SDK.
//!
//! # In a step
//!
//! While a step runs, its attempt is the active span: spans of your own become its children, and [`traceparent`]
//! is the header that lets a called server join the trace. A task that the step spawns needs the context handed
//! over, as always with OpenTelemetry:
//!
//! ```
//! use durable_runtime::{otel, prelude::*};
//! use opentelemetry::{Context, context::FutureExt as _};
//!
//! #[durable_step]
//! async fn fetch(url: String) -> Result<String, Error> {
//!     let fetching = async move {
//!         let header = otel::traceparent();
//!         // ... request `url` with the header `traceparent`
//!         # let _ = url;
//!         Ok(format!("{header:?}"))
//!     };
//!     fetching.with_context(Context::current()).await
//! }
//! ```
//!
//! # On AWS Lambda
//!
//! Lambda passes an X-Ray header with each invocation. Its `Root` is the trace then, its `Parent` the parent of
//! workflow and invocation, its `Sampled` the decision whether anything is exported: with X-Ray tracing of the
//! function switched off that is usually `0`, so switch it on, or call [`OtelPlugin::ignore_trace_header`], which
//! gives every execution a trace of its own. A process on Lambda is frozen after each answer, so spans are flushed
//! before it; see [`OtelPlugin::flush_each_invocation`].

mod flush;
mod header;
mod ids;
mod invocation;
mod operations;
mod plugin;
mod sampler;
mod span;
mod trace;

use opentelemetry::{
    Context,
    trace::{TraceContextExt as _, TraceFlags},
};

pub use self::plugin::OtelPlugin;

/// The W3C `traceparent` header of the active span: in a step the attempt's, or that of a span of your own inside
/// of it. `None` where no span is active.
#[must_use]
pub fn traceparent() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| {
        let flags = (span.trace_flags() & TraceFlags::SAMPLED).to_u8();
        format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
    })
}
