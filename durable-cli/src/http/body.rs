//! Reads a request's body, up to a limit and within a time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;

/// What is read and thrown away of a body that is too large, so that a client that sends first and reads later
/// gets its answer instead of a broken connection.
const DISCARDED: usize = 64 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It has more bytes than the limit.
    TooLarge,
    /// It did not come in time.
    TooSlow,
    /// The connection ended in the middle of it, or its encoding is wrong.
    Broken,
}

/// The body, if it has at most `limit` bytes and is there after `patience`.
pub(crate) async fn read_body(body: Body, limit: usize, patience: Duration) -> Result<Bytes, BodyError> {
    tokio::time::timeout(patience, collect(body, limit)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut stream = body.into_data_stream();
    let mut collected = Vec::new();
    let mut first = Bytes::new();
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        length = length.saturating_add(chunk.len());
        if length > limit {
            collected = Vec::new();
            if length - limit > DISCARDED {
                break;
            }
        } else if first.is_empty() && collected.is_empty() {
            // Most bodies are one chunk, which is then not copied.
            first = chunk;
        } else {
            if collected.is_empty() {
                collected.extend_from_slice(&first);
            }
            collected.extend_from_slice(&chunk);
        }
    }
    match length {
        _ if length > limit => Err(BodyError::TooLarge),
        _ if collected.is_empty() => Ok(first),
        _ => Ok(collected.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Instant};

    use futures_util::stream;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn chunks(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, Infallible>(*chunk)).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_the_limit() {
        for parts in [&["abc", "", "def"][..], &["abcdef"], &["", "abcdef"], &["a", "b", "c", "def"]] {
            assert_eq!(read_body(chunks(parts), 6, PATIENCE).await.unwrap(), "abcdef", "{parts:?}");
            assert_eq!(read_body(chunks(parts), 5, PATIENCE).await, Err(BodyError::TooLarge), "{parts:?}");
        }
        assert_eq!(read_body(Body::empty(), 0, PATIENCE).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let begun = Instant::now();
        let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_body(never, 6, PATIENCE).await, Err(BodyError::TooSlow));
        assert!(begun.elapsed() >= PATIENCE);
        let endless = Body::from_stream(stream::repeat(Ok::<_, Infallible>("x".repeat(1024 * 1024))));
        assert_eq!(read_body(endless, 6, Duration::from_secs(60)).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_none() {
        let broken = Body::from_stream(stream::iter([Ok("abc"), Err(std::io::Error::other("reset"))]));
        assert_eq!(read_body(broken, 6, PATIENCE).await, Err(BodyError::Broken));
    }
}
