//! All requirements on an embedded engine in virtual time.

use std::path::Path;

use conformance::{
    drive::judge_in_process,
    handlers,
    judge::{Requirement, load_all},
    report::Report,
};

/// How many requirements there are at least, so that none gets lost.
const REQUIREMENTS: usize = 111;

fn load(folder: &str) -> Vec<Requirement> {
    load_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the requirements can be read")
}

fn requirements() -> Vec<Requirement> {
    load("requirements")
}

/// Our own, for what AWS's documentation says and no file of theirs here does.
fn beyond() -> Vec<Requirement> {
    load("beyond")
}

#[test]
fn every_requirement_is_met_or_declared() {
    let mut report = Report::default();
    for requirement in requirements().into_iter().chain(beyond()) {
        let verdict = judge_in_process(&requirement);
        report.note(&requirement, verdict);
    }
    assert_eq!(report.failures(), 0, "{report}");
}

#[test]
fn every_requirement_has_a_function() {
    let requirements = requirements();
    assert!(requirements.len() >= REQUIREMENTS, "only {} requirements were found", requirements.len());
    for requirement in requirements.into_iter().chain(beyond()) {
        assert!(handlers::find(&requirement.id).is_some(), "no function for {}", requirement.id);
    }
}

/// A judge that finds nothing would find everything in order.
#[test]
fn the_judge_sees_what_does_not_fit() {
    let mut requirement = requirements().into_iter().find(|requirement| requirement.id == "1-7").unwrap();
    assert!(judge_in_process(&requirement).unwrap().is_met());

    let event = requirement.file.history.first_mut().unwrap();
    event.insert("Name".to_owned(), "another".into());
    requirement.file.logs.first_mut().unwrap().count = Some(2);
    requirement.file.result.as_mut().unwrap().execution_status = Some("FAILED".to_owned());
    let mismatches = judge_in_process(&requirement).unwrap().mismatches;
    assert_eq!(mismatches.len(), 3, "{mismatches:?}");
}
