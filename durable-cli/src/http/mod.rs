//! Serves HTTP to whoever may call, within limits.
//!
//! Everything in here assumes the worst of who connects: clients that send slowly or never read, that open
//! connections and forget them, and web pages that make a browser call us.
//!
//! | file | job |
//! | --- | --- |
//! | `guard` | who may call: the Host, Origin and fetch metadata of a request |
//! | `body` | reads a request's body, up to a limit and within a time |
//! | `threads` | the threads that serve connections |
//! | `attention` | stays awake for requests that come in quick succession |

mod attention;
mod body;
mod guard;
mod threads;

use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_io_timeout::TimeoutStream;

use attention::Attention;
pub(crate) use body::{BodyError, read_body};
pub(crate) use guard::Guard;

/// How long to wait after the system refused to give us a connection, as it does without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a listener gives its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at the same time; further ones wait in the listener's queue.
    pub(crate) connections: usize,
    /// How long a client may take to send a request's head, and then its body, or to take some of an answer. An
    /// idle connection is closed after this time, too.
    pub(crate) patience: Duration,
}

impl Limits {
    /// Half of the file descriptors that this process may have are for connections.
    pub(crate) fn of_system() -> Self {
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let connections =
            descriptors.map_or(usize::MAX, |limit| usize::try_from(limit / 2).unwrap_or(usize::MAX));
        Self { connections: connections.clamp(16, 4096), patience: Duration::from_secs(60) }
    }
}

/// Answers requests until it is dropped; its connections end with it.
pub(crate) async fn serve<Answer, Answered>(listener: TcpListener, limits: Limits, answer: Answer)
where
    Answer: Fn(Request<Body>) -> Answered + Clone + Send + Sync + 'static,
    Answered: Future<Output = Response<Body>> + Send + 'static,
{
    let free = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let slot = Arc::clone(&free).acquire_owned().await.expect("nobody closes this semaphore");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Only to forget it.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let (answer, stream) = (answer.clone(), stream.into_std());
                let served = async move {
                    match moved_here(stream) {
                        Ok(stream) => connection(stream, limits.patience, answer).await,
                        Err(error) => tracing::error!(%error, "a connection could not be served"),
                    }
                    drop(slot);
                };
                connections.spawn_on(served, &threads::next());
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection of another runtime, on the one that runs this.
fn moved_here(stream: io::Result<std::net::TcpStream>) -> io::Result<TcpStream> {
    TcpStream::from_std(stream?)
}

async fn connection<Answer, Answered>(stream: TcpStream, patience: Duration, answer: Answer)
where
    Answer: Fn(Request<Body>) -> Answered + Send + Sync + 'static,
    Answered: Future<Output = Response<Body>> + Send + 'static,
{
    // Answers are small and waited for: they must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let attention = Attention::default();
    let service = service_fn(|request: Request<Incoming>| {
        attention.asked(Instant::now());
        let answered = answer(request.map(Body::new));
        let attention = &attention;
        async move {
            let answer = answered.await;
            attention.answered(Instant::now());
            Ok::<_, Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let served = attention.pay(served).await;
    if let Err(error) = served {
        // Says what was wrong with the protocol, nothing of what was sent.
        tracing::trace!(%error, "a connection ended early");
    }
}

/// The client changed its mind between connecting and being accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
