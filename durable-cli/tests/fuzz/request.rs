//! A request in pieces, so that each of them can be wrong.

use std::net::SocketAddr;

/// How the length of the body is told.
#[derive(Clone, Debug)]
pub(crate) enum Framing {
    Length,
    /// Some other length, or none at all.
    Claimed(String),
    Chunked,
    /// Both, which is how one server is made to disagree with another.
    ChunkedAndLength(String),
    /// A chunk of another length than its own.
    BadChunks,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Encoded, without the query.
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) version: &'static str,
    pub(crate) host: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) framing: Framing,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, path: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.into().into_bytes(),
            query: Vec::new(),
            version: "HTTP/1.1",
            host: address.to_string().into_bytes(),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into().into_bytes();
        self
    }

    pub(crate) fn to_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 1024);
        bytes.extend_from_slice(self.method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(&self.path);
        if !self.query.is_empty() {
            bytes.push(b'?');
            bytes.extend_from_slice(&self.query);
        }
        bytes.extend_from_slice(format!(" {}\r\n", self.version).as_bytes());
        let mut header = |name: &[u8], value: &[u8]| {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        header(b"host", &self.host);
        for (name, value) in &self.headers {
            header(name, value);
        }
        match &self.framing {
            Framing::Length => header(b"content-length", self.body.len().to_string().as_bytes()),
            Framing::Claimed(length) => header(b"content-length", length.as_bytes()),
            Framing::Chunked | Framing::BadChunks => header(b"transfer-encoding", b"chunked"),
            Framing::ChunkedAndLength(length) => {
                header(b"content-length", length.as_bytes());
                header(b"transfer-encoding", b"chunked");
            }
        }
        bytes.extend_from_slice(b"\r\n");
        match &self.framing {
            Framing::Length | Framing::Claimed(_) => bytes.extend_from_slice(&self.body),
            Framing::Chunked | Framing::ChunkedAndLength(_) => {
                for chunk in self.body.chunks(1000) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
            Framing::BadChunks => {
                bytes.extend_from_slice(format!("{:x}\r\n", self.body.len() + 7).as_bytes());
                bytes.extend_from_slice(&self.body);
                bytes.extend_from_slice(b"\r\nzz\r\n\r\n");
            }
        }
        bytes
    }
}
