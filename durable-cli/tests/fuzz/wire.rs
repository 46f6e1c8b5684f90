//! HTTP by hand: any bytes out, answers in.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// The longest that any answer takes, by far.
const LIMIT: Duration = Duration::from_secs(60);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// How an exchange went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Replied(Reply),
    /// The server closed the connection without an answer, or in the middle of one.
    Closed,
    /// Neither an answer nor an end came in time.
    Stuck,
}

/// A connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let reader = BufReader::new(stream.try_clone()?);
        Ok(Self { stream, reader })
    }

    /// False when the server has closed it meanwhile: it may have answered before.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn end_sending(&self) {
        // Fails when the connection is closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether the server has closed this connection, on which nothing more was sent.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("the time is not zero");
        let mut rest = [0; 4096];
        loop {
            match self.reader.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                }
            }
        }
    }

    /// The next answer; `to_head` when it has no body whatever its headers say.
    pub(crate) fn receive(&mut self, to_head: bool) -> Outcome {
        loop {
            match self.read(to_head) {
                // A word in between, such as 100 Continue.
                Ok(Some(reply)) if reply.status < 200 => {}
                Ok(Some(reply)) => return Outcome::Replied(reply),
                Ok(None) => return Outcome::Closed,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Outcome::Stuck;
                }
                Err(_) => return Outcome::Closed,
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn read(&mut self, to_head: bool) -> io::Result<Option<Reply>> {
        let first = self.line()?;
        let Some(status) = first.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
            return Ok(None);
        };
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if !to_head
            && status >= 200
            && let Some(length) = length
        {
            let mut body = Vec::new();
            (&mut self.reader).take(length).read_to_end(&mut body)?;
            if body.len() as u64 != length {
                return Ok(None);
            }
            reply.body = body;
        }
        Ok(Some(reply))
    }
}

/// Sends a request on a connection of its own, and reads the answer.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Outcome {
    let Ok(mut connection) = Connection::open(address) else { return Outcome::Closed };
    connection.send(request);
    connection.receive(request.starts_with(b"HEAD "))
}
