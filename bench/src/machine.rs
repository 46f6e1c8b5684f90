//! Readings of the process and its disk.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::timing::median;

/// An empty folder on the disk that holds the build, which is a real disk more often than the system's folder
/// for temporary files. Removed when dropped.
///
/// # Errors
///
/// The disk is full or may not be written.
pub fn scratch() -> io::Result<TempDir> {
    // A program that cargo built lies below the target folder.
    let program = std::env::current_exe()?;
    let folder = program.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    tempfile::Builder::new().prefix("bench-").tempdir_in(folder)
}

/// The time that all threads of this process have computed so far, in the kernel or not.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default())
}

/// The memory of this process that is in RAM, in bytes.
///
/// # Errors
///
/// The system has no `/proc/self/status` with a `VmRSS`.
pub fn resident_memory() -> io::Result<u64> {
    memory_in(&fs::read_to_string("/proc/self/status")?, "VmRSS:")
}

/// What a process's `status` says, in bytes.
pub(crate) fn memory_in(status: &str, field: &str) -> io::Result<u64> {
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other(format!("the process's status has no {field}")))
}

/// The median time of appending 4 KiB to a file in `folder` and waiting until they are on the disk.
///
/// # Errors
///
/// The disk is full or may not be written.
pub fn sync_time(folder: &Path, runs: usize) -> io::Result<Duration> {
    let mut file = File::create_new(folder.join("sync-time"))?;
    let page = [0xa5; 4096];
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    drop(file);
    fs::remove_file(folder.join("sync-time"))?;
    Ok(median(times))
}
