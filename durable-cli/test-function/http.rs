//! HTTP/1.1, as much of it as the function needs.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

pub(crate) struct Address(String);

pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Address {
    pub(crate) fn new(host_and_port: &str) -> Self {
        Self(host_and_port.trim_start_matches("http://").trim_end_matches('/').to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.exchange("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.exchange("POST", path, headers, body)
    }

    fn exchange(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut connection = TcpStream::connect(&self.0).expect("the host listens");
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.0);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        connection.write_all(request.as_bytes()).expect("the host reads requests");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the host answers in text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("answers have a head");
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("answers have a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A path segment, encoded as AWS clients do.
pub(crate) fn encode(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
