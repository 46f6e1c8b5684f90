//! A receiver of webhooks that is down when it is told something for the first time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};

/// How long a notice and its repetition may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The headers, by their names in lower case.
    pub headers: HashMap<String, String>,
    /// The body, byte for byte.
    pub body: String,
}

impl Posted {
    /// A header that has to be there.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn header(&self, name: &str) -> Result<&str> {
        self.headers
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the notice has no header `{name}`"))
    }
}

/// A receiver, as long as this value lives.
#[derive(Debug)]
pub struct Receiver {
    url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let listener =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("the receiver gets no port")?;
        let url = format!("http://{}/notices", listener.local_addr()?);
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let router = Router::new().route("/notices", post(receive)).with_state(Arc::clone(&posted));
        let server = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, posted, server })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Both attempts to tell it what `sign` is part of.
    ///
    /// # Errors
    ///
    /// There are not two after a while.
    pub async fn attempts(&self, sign: &str) -> Result<[Posted; 2]> {
        let begun = Instant::now();
        loop {
            let posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let found: Vec<_> = posted.into_iter().filter(|posted| posted.body.contains(sign)).collect();
            match <[Posted; 2]>::try_from(found) {
                Ok(attempts) => return Ok(attempts),
                Err(found) if found.len() > 2 || begun.elapsed() > PATIENCE => {
                    bail!("it was told {} times of {sign}, not twice", found.len());
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(posted): State<Arc<Mutex<Vec<Posted>>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let headers: HashMap<_, _> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let posted_now = Posted { headers, body: String::from_utf8_lossy(&body).into_owned() };
    let mut posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = posted.iter().all(|before| before.body != posted_now.body);
    posted.push(posted_now);
    if is_first { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT }
}
