//! Waits for the exporter without blocking the executor.

use std::{
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::{service::BoxFuture, sync::lock};

#[derive(Default)]
struct Progress {
    done: bool,
    waker: Option<Waker>,
}

/// Ready once everything that has ended was exported, or the exporter gave up.
///
/// The SDK's flush blocks, and an exporter may need the very thread that it would block: on Lambda often the
/// only one of its runtime. So it gets a thread of its own.
pub(super) fn flush(provider: SdkTracerProvider) -> BoxFuture<'static, ()> {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let finish = Finish(Arc::clone(&progress));
    let work = move || {
        let _finish = finish;
        if let Err(error) = provider.force_flush() {
            tracing::warn!(%error, "the spans of this invocation could not be exported");
        }
    };
    if let Err(error) = std::thread::Builder::new().name("otel-flush".to_owned()).spawn(work) {
        // The closure is gone, and with it the guard: nobody waits.
        tracing::warn!(%error, "no thread to export spans with");
    }
    Box::pin(std::future::poll_fn(move |context| {
        let mut progress = lock(&progress);
        if progress.done {
            return Poll::Ready(());
        }
        progress.waker = Some(context.waker().clone());
        Poll::Pending
    }))
}

/// Marks the work as done, also when an exporter panics.
struct Finish(Arc<Mutex<Progress>>);

impl Drop for Finish {
    fn drop(&mut self) {
        let mut progress = lock(&self.0);
        progress.done = true;
        let waker = progress.waker.take();
        drop(progress);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
