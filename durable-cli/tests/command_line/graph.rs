//! `durable graph`, with programs that answer and programs that don't.

use crate::{durable, text};

#[test]
fn a_program_is_asked_for_its_graph_and_what_it_prints_before_is_dropped() {
    let program = "echo starting; echo 'flowchart TD'; echo '    n0 --> n1'; echo \"as $DURABLE_GRAPH\" >&2";
    let output = durable(&["graph", "--", "sh", "-c", program]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout), "flowchart TD\n    n0 --> n1\n");
    assert_eq!(text(&output.stderr), "as mermaid\n");

    let program = "test \"$DURABLE_GRAPH\" = dot && echo 'digraph {'";
    let output = durable(&["graph", "--format", "dot", "--", "sh", "-c", program]).output().unwrap();
    assert_eq!(text(&output.stdout), "digraph {\n", "{output:?}");
}

#[test]
fn a_program_that_knows_no_graphs_is_an_error_that_says_what_is_wanted() {
    let scripted = env!("CARGO_BIN_EXE_scripted-function");
    for (program, words) in [
        (vec!["sh", "-c", "exit 3"], "it ended with exit status: 3"),
        (vec!["echo", "hello"], "it printed something else"),
        (vec!["/nonexistent/bootstrap"], "can't start `/nonexistent/bootstrap`"),
        // Where nobody has invocations for it.
        (vec![scripted], "it has to be a program of durable-runtime that comes to `lambda::run`"),
    ] {
        let output = durable(&[&["graph", "--"], program.as_slice()].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(text(&output.stderr).contains(words), "{output:?}");
    }
}
