//! Where log events go: JSON lines, one event each, never on the terminal of somebody who watches progress.

use std::{fs::File, io, path::Path, sync::Arc};

use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt, util::SubscriberInitExt};

const DEFAULT_FILTER: &str = "info,hyper=warn,reqwest=warn,tantivy=warn";

/// Logs to the file at `path`, appending. Later calls change nothing.
///
/// # Errors
///
/// The file can't be opened.
pub fn log_to_file(path: &Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    init(Arc::new(file));
    Ok(())
}

/// Logs to standard error, for a server whose output somebody collects. Later calls change nothing.
pub fn log_to_stderr() {
    init(io::stderr);
}

fn init<W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static>(writer: W) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
        .with_filter(durable_runtime::ReplayFilter);
    // The second initialisation of a test process fails, which is what it should do.
    let _ = tracing_subscriber::registry().with(filter).with(json).try_init();
}
