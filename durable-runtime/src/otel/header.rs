//! The X-Ray header of an invocation: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.

use opentelemetry::trace::{SpanId, TraceId};

/// What is valid in an X-Ray header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TraceHeader {
    pub(super) trace_id: Option<TraceId>,
    pub(super) parent: Option<SpanId>,
    /// The decision of who sent it, if it says.
    pub(super) sampled: Option<bool>,
}

impl TraceHeader {
    pub(super) fn parse(header: &str) -> Self {
        let mut parsed = Self::default();
        for field in header.split(';') {
            match field.trim().split_once('=') {
                Some(("Root", root)) => parsed.trace_id = trace_id(root),
                Some(("Parent", parent)) => parsed.parent = span_id(parent),
                Some(("Sampled", "1")) => parsed.sampled = Some(true),
                Some(("Sampled", "0")) => parsed.sampled = Some(false),
                _ => {}
            }
        }
        parsed
    }
}

fn trace_id(root: &str) -> Option<TraceId> {
    let (seconds, rest) = root.strip_prefix("1-")?.split_once('-')?;
    let digits = format!("{}{}", hex(seconds, 8)?, hex(rest, 24)?);
    TraceId::from_hex(&digits).ok().filter(|id| *id != TraceId::INVALID)
}

fn span_id(parent: &str) -> Option<SpanId> {
    SpanId::from_hex(hex(parent, 16)?).ok().filter(|id| *id != SpanId::INVALID)
}

fn hex(text: &str, digits: usize) -> Option<&str> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_lambda_is_read() {
        let header =
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:a:0";
        let parsed = TraceHeader::parse(header);
        assert_eq!(parsed.trace_id.unwrap().to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(parsed.parent.unwrap().to_string(), "53995c3f42cd8ad8");
        assert_eq!(parsed.sampled, Some(false));
    }

    #[test]
    fn what_is_malformed_counts_as_absent() {
        for header in [
            "",
            ";;=",
            "Root",
            "Root=2-5759e988-bd862e3fe1be46a994272793",
            "Root=1-5759e988-bd862e3fe1be46a99427279",
            "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=?",
            "Root=1-+759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad;Sampled=2",
            "Root=1-5759e98é-bd862e3fe1be46a99427279",
        ] {
            assert_eq!(TraceHeader::parse(header), TraceHeader::default(), "{header}");
        }
    }
}
