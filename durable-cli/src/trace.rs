//! X-Ray headers: which trace an execution belongs to.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Characters of a header; Lambda takes no longer ones.
const LONGEST: usize = 8192;

/// What Lambda makes of the header of a request: it is handed on if it names a trace, else a new trace begins.
pub(crate) fn header_or_new(given: Option<&str>) -> String {
    header(given).unwrap_or_else(new_header)
}

/// The header of a request if it names a trace.
pub(crate) fn header(given: Option<&str>) -> Option<String> {
    let is_header = |text: &&str| {
        text.len() <= LONGEST && text.bytes().all(|it| matches!(it, b' '..=b'~')) && names_a_trace(text)
    };
    given.filter(is_header).map(str::to_owned)
}

/// The header of a new trace that nobody samples.
fn new_header() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let random = Uuid::new_v4().simple().to_string();
    let (root, parent) = (random.get(..24).unwrap_or_default(), random.get(16..).unwrap_or_default());
    format!("Root=1-{seconds:08x}-{root};Parent={parent};Sampled=0")
}

fn names_a_trace(header: &str) -> bool {
    let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|it| it.is_ascii_hexdigit());
    header.split(';').any(|field| {
        let root = field.trim().strip_prefix("Root=1-").and_then(|root| root.split_once('-'));
        root.is_some_and(|(seconds, rest)| is_hex(seconds, 8) && is_hex(rest, 24))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_names_a_trace_is_kept_and_any_other_is_replaced() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(header_or_new(Some(header)), header);
        let new = header_or_new(None);
        assert!(names_a_trace(&new) && new.ends_with(";Sampled=0"), "{new}");
        for other in ["Root=2", "Root=1-5759e988-bd862e3fe1be46a994272793\r\nx: y", ""] {
            assert_eq!(super::header(Some(other)), None, "{other}");
        }
        assert_ne!(header_or_new(None), new);
    }
}
