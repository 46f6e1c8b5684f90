//! The threads that serve connections, each with a runtime of its own: a request is read, answered and its answer sent
//! on one thread, without waking another.
//!
//! They live as long as the process. What is to end with a server must not be spawned on them, but on the server's own
//! runtime.

use std::{
    future, io,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};

/// Answering takes little: more threads than this would only wait.
const MOST: usize = 8;

static THREADS: LazyLock<Vec<Handle>> = LazyLock::new(|| {
    let count = thread::available_parallelism().map_or(1, usize::from).min(MOST);
    let started: io::Result<Vec<_>> = (0..count).map(start).collect();
    started.unwrap_or_else(|error| {
        tracing::warn!(%error, "connections have no threads of their own");
        Vec::new()
    })
});

/// The thread for the next connection. They take turns. The caller's runtime when the system gives us none.
pub(super) fn next() -> Handle {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let thread = turn.checked_rem(THREADS.len()).and_then(|index| THREADS.get(index));
    thread.cloned().unwrap_or_else(Handle::current)
}

fn start(number: usize) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let serve = move || runtime.block_on(future::pending::<()>());
    thread::Builder::new().name(format!("durable-http-{number}")).spawn(serve)?;
    Ok(handle)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[tokio::test]
    async fn connections_take_turns_on_all_threads() {
        let mut seen = HashSet::new();
        for _ in 0..MOST {
            let name = next().spawn(async { thread::current().name().map(str::to_owned) }).await;
            seen.insert(name.unwrap().unwrap());
        }
        assert!(seen.iter().all(|name| name.starts_with("durable-http-")), "{seen:?}");
        assert_eq!(seen.len(), THREADS.len());
    }
}
