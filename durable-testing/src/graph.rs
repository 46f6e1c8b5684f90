//! The graph of a function against the one that was committed.

use std::{fs, io, path::Path};

use durable_runtime::{Root, graph::graph};

use crate::diff::diff;

/// Set to anything, it writes graphs instead of comparing them.
const UPDATE: &str = "UPDATE_GRAPHS";

/// Asserts that the shape of `function` is the one that is committed at `path`: its operations, branches, loops and
/// ways out, as [`durable_runtime::graph`] has them.
///
/// The path is one from the package's own folder, where cargo runs tests. A name that ends with `.mmd` is a Mermaid
/// flowchart, one that ends with `.dot` a graph of Graphviz. `UPDATE_GRAPHS=1 cargo test` writes it; the diff shows
/// in the review what a change of the code does to the workflow.
///
/// ```no_run
/// # use durable_runtime::prelude::*;
/// # #[durable_execution] async fn checkout(order: u32) -> Result<u32, Error> { Ok(order) }
/// #[test]
/// fn the_shape_of_checkout_is_reviewed() {
///     durable_testing::assert_graph(checkout, "tests/graphs/checkout.mmd");
/// }
/// ```
///
/// # Panics
///
/// The graph is another one, or was never written; the message shows the difference, and how to accept it.
#[track_caller]
pub fn assert_graph<Arguments, F: Root<Arguments>>(function: F, path: impl AsRef<Path>) {
    let path = path.as_ref();
    let graph = graph(&function);
    let drawn = match path.extension().and_then(|extension| extension.to_str()) {
        Some("mmd") => graph.to_mermaid(),
        Some("dot") => graph.to_dot(),
        _ => panic!(
            "the format of a graph follows from its name: {} ends with neither .mmd nor .dot",
            path.display()
        ),
    };
    let update = std::env::var_os(UPDATE).is_some();
    if let Err(difference) = compare(graph.name, &drawn, path, update) {
        panic!("{difference}");
    }
}

/// Compares with what is committed, or writes it.
fn compare(name: &str, drawn: &str, path: &Path, update: bool) -> Result<(), String> {
    let shown = path.display();
    if update {
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, drawn));
        return written
            .map_err(|error| format!("the graph of `{name}` can't be written to {shown}: {error}"));
    }
    let how = format!("`{UPDATE}=1 cargo test` writes it");
    match fs::read_to_string(path) {
        Ok(committed) if committed.replace("\r\n", "\n") == drawn => Ok(()),
        Ok(committed) => Err(format!(
            "the graph of `{name}` is no longer the one in {shown}; if that is intended, {how}\n\n{}",
            diff(&committed.replace("\r\n", "\n"), drawn)
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("the graph of `{name}` is not in {shown} yet; look at it, then {how}\n\n{drawn}"))
        }
        Err(error) => Err(format!("{shown} can't be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_is_written_on_request_only_and_compared_from_then_on() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let path = folder.path().join("graphs/checkout.mmd");

        let missing = compare("checkout", "a\nb\n", &path, false).expect_err("it was never written");
        assert!(
            missing.contains(
                "checkout.mmd yet; look at it, then `UPDATE_GRAPHS=1 cargo test` writes it\n\na\nb\n"
            )
        );
        assert!(!path.exists(), "{missing}");

        assert_eq!(compare("checkout", "a\nb\n", &path, true), Ok(()));
        assert_eq!(compare("checkout", "a\nb\n", &path, false), Ok(()));

        let other = compare("checkout", "a\nc\n", &path, false).expect_err("it is another one");
        assert!(other.starts_with("the graph of `checkout` is no longer the one in "), "{other}");
        assert!(other.ends_with("\n\n  a\n- b\n+ c\n"), "{other}");
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some("a\nb\n"));
    }
}
