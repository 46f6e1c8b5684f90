//! Compares what the compiler says with what we want it to say.

use std::process::Command;

/// The compiler whose words are recorded. Others phrase the same errors a little differently.
const PINNED: &str = "rustc 1.95.";

#[test]
fn mistakes_are_explained() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("cargo runs where rustc is");
    let version = String::from_utf8_lossy(&output.stdout);
    if !version.starts_with(PINNED) {
        println!("skipped: the texts are those of {PINNED}x, and this is {}", version.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
