//! Links the programs at fixed addresses: all processes of a function then have their code where the processor has
//! already learned how it branches.

use std::env;

fn main() {
    // Nothing else is asked, so no other change runs this again.
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_ENV");
    let target = |name| env::var(name).unwrap_or_default();
    // What Cargo links by default goes to another random address in each process, and has some 12,000 pointers in it
    // corrected there. With 64 processes on one machine a step took half as much processor time again.
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
