//! Readings of other processes, from `/proc`.

use std::{fs, io, path::Path, time::Duration};

use rustix::param::clock_ticks_per_second;

use crate::machine;

/// The time that this process and its living children have computed so far, in the kernel or not. Right to one tick of
/// the system's clock for each child, which is 10 ms as a rule.
///
/// # Errors
///
/// There is no `/proc`.
pub fn cpu_time_with_children() -> io::Result<Duration> {
    let own = std::process::id();
    let mut ticks = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that ends meanwhile has no such file any more.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        if let Some((parent, process_ticks)) = parent_and_ticks(&stat)
            && parent == own
        {
            ticks += process_ticks;
        }
    }
    Ok(machine::cpu_time() + Duration::from_secs(1).mul_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// Fields 4, 14 and 15 of a `stat`. The second one, the program's name in parentheses, may have spaces.
fn parent_and_ticks(stat: &str) -> Option<(u32, u64)> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(1);
    let parent = fields.next()?.parse().ok()?;
    let mut fields = fields.skip(9);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((parent, ticks()? + ticks()?))
}

/// The memory of a process that is in RAM, in bytes.
///
/// # Errors
///
/// There is no such process, or no `/proc`.
pub fn resident_memory(id: u32) -> io::Result<u64> {
    machine::memory_in(&fs::read_to_string(format!("/proc/{id}/status"))?, "VmRSS:")
}

/// The most memory that any process of this program had in RAM so far, in bytes.
///
/// # Errors
///
/// None runs, or there is no `/proc`.
pub fn peak_memory(program: &Path) -> io::Result<u64> {
    let program = program.canonicalize()?;
    let mut peak = None;
    for entry in fs::read_dir("/proc")? {
        let process = entry?.path();
        if fs::read_link(process.join("exe")).is_ok_and(|running| running == program) {
            let status = fs::read_to_string(process.join("status"))?;
            peak = peak.max(Some(machine::memory_in(&status, "VmHWM:")?));
        }
    }
    peak.ok_or_else(|| io::Error::other(format!("no process runs {}", program.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_and_times_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 42 7 7 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 5 6 7";
        assert_eq!(parent_and_ticks(stat), Some((42, 175)));
        assert_eq!(parent_and_ticks(""), None);
    }
}
