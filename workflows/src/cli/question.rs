//! The reviewer's question at the terminal.
//!
//! Plain lines in the terminal's normal mode: whenever the process is asked to end, there is nothing to
//! restore. Prompts that read single keys leave a terminal without echo behind when a signal cuts them off.

use std::io::{self, BufRead, Write};

use tokio::task::JoinHandle;

use crate::research::Approval;

/// A question that is being asked. It can't be taken back: a reader of the terminal ends with the process.
pub(super) type Question = JoinHandle<io::Result<Option<Approval>>>;

/// Asks on standard error, reads from standard input. `None` when the input ends.
pub(super) fn ask() -> Question {
    // Blocks on the terminal, so it gets a thread of its own.
    tokio::task::spawn_blocking(|| decision(&mut io::stdin().lock(), &mut io::stderr()))
}

fn decision(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<Option<Approval>> {
    let approved = loop {
        let prompt = "approve the analysis and write the report? [y/n] ";
        let Some(answer) = line(input, output, prompt)? else { return Ok(None) };
        match answer.to_lowercase().as_str() {
            "y" | "yes" => break true,
            "n" | "no" => break false,
            _ => writeln!(output, "please answer y or n; Ctrl-C leaves the question for later")?,
        }
    };
    let prompt = if approved { "comment (may be empty): " } else { "why not (may be empty): " };
    let Some(comment) = line(input, output, prompt)? else { return Ok(None) };
    Ok(Some(Approval { approved, comment: Some(comment).filter(|comment| !comment.is_empty()) }))
}

/// A line without the white space around it; `None` at the end of the input.
fn line(input: &mut impl BufRead, output: &mut impl Write, prompt: &str) -> io::Result<Option<String>> {
    write!(output, "{prompt}")?;
    output.flush()?;
    let mut bytes = Vec::new();
    input.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(input: &str) -> (Option<Approval>, String) {
        let mut output = Vec::new();
        let decided = decision(&mut input.as_bytes(), &mut output).unwrap();
        (decided, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_decision_is_a_word_and_a_comment() {
        let approval = |approved, comment: Option<&str>| {
            Some(Approval { approved, comment: comment.map(str::to_owned) })
        };
        assert_eq!(decide("y\n\n").0, approval(true, None));
        assert_eq!(decide(" NO \n too thin \n").0, approval(false, Some("too thin")));
        let (decided, said) = decide("\nmaybe\nyes\ngo\n");
        assert_eq!(decided, approval(true, Some("go")));
        assert_eq!(said.matches("please answer y or n").count(), 2, "{said}");
    }

    #[test]
    fn an_input_that_ends_decides_nothing() {
        for input in ["", "y\n", "what?\n"] {
            assert_eq!(decide(input).0, None, "{input:?}");
        }
    }
}
