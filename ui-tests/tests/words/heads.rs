//! Each mistake has one error, and its first line names nothing that users can't.

use std::collections::BTreeSet;

use crate::{at, printed, sources};

/// Cases with more than one error, and why.
const SEVERAL: [(&str, usize, &str); 1] =
    [("several_mistakes", 4, "four mistakes in one function: all of them are reported at once")];

/// Where rustc names what users can't, beneath the first line. Nothing of ours can change these: they follow from
/// the bounds that find the mistake.
const NOTES: [(&str, &str); 6] = [
    ("future returned by `__durable_body_", "the user's own function, by the name under which it is called"),
    ("note: required by a bound in `", "the function whose bound it is"),
    ("note: required for `", "the impl that leads to the bound"),
    ("help: the trait `", "who implements the trait, or does not"),
    ("required by this bound in `", "the bound itself"),
    ("| ", "the line of the bound, and the carets below"),
];

#[test]
fn each_mistake_has_one_error() {
    for case in printed() {
        let allowed = SEVERAL.iter().find(|(name, ..)| *name == case.case).map_or(1, |(_, count, _)| *count);
        let heads: Vec<_> = case.heads().collect();
        assert_eq!(heads.len(), allowed, "fail/{}.stderr: {heads:#?}", case.case);
    }
}

#[test]
fn no_first_line_names_what_users_can_not() {
    let public: BTreeSet<_> = names_in("durable-runtime/src/lib.rs").into_iter().collect();
    let private: Vec<_> = names_in("durable-runtime/src/private.rs")
        .into_iter()
        .filter(|name| !public.contains(name))
        .collect();
    assert!(
        private.iter().any(|name| name == "ExecutionBody"),
        "the private names were not found: {private:?}"
    );
    for case in printed() {
        for head in case.heads() {
            let words = || head.split(|c: char| !c.is_alphanumeric() && c != '_');
            let named = private.iter().find(|name| words().any(|word| word == *name));
            assert_eq!(named, None, "fail/{}.stderr: {head}", case.case);
            assert!(!head.contains("__") && !head.contains("{closure"), "fail/{}.stderr: {head}", case.case);
        }
    }
}

#[test]
fn elsewhere_they_are_named_only_in_rustcs_notes() {
    let mut used = BTreeSet::new();
    for case in printed() {
        for line in case.text.lines().filter(|line| line.contains("__") && !line.contains("| |___")) {
            let note = NOTES.iter().find(|(shape, _)| line.contains(shape));
            let Some((shape, _)) = note else { panic!("fail/{}.stderr: {line}", case.case) };
            used.insert(*shape);
        }
    }
    // The line of a bound is often the one that has the name, but need not be.
    let unused: Vec<_> = NOTES.iter().filter(|(shape, _)| !used.contains(shape)).collect();
    assert!(unused.is_empty(), "rustc prints these no more: {unused:?}");
}

/// The types and traits that a file exports from elsewhere.
fn names_in(path: &str) -> Vec<String> {
    sources::imports(&at(path)).into_iter().filter(|name| name.starts_with(char::is_uppercase)).collect()
}
