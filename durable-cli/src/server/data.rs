//! The data directory: everything that functions are given, return and print is in it, for its owner only.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::Path,
};

/// What anybody but the owner may do.
const OTHERS: u32 = 0o077;
const WORLD_WRITABLE: u32 = 0o002;
/// Only the owner of a file may replace it, whoever may write to the directory.
const STICKY: u32 = 0o1000;

/// Creates the directory, or checks the one that exists.
///
/// A directory may have been made for something else, too, and is left as it is: what we keep in it is private
/// either way.
pub(super) fn prepare(directory: &Path) -> io::Result<()> {
    create_private(directory)?;
    let mode = fs::metadata(directory)?.permissions().mode();
    if mode & WORLD_WRITABLE != 0 && mode & STICKY == 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "every user of this machine may replace what is in it; `chmod 700` it, or choose another one",
        ));
    }
    if mode & OTHERS != 0 {
        tracing::warn!(
            directory = %directory.display(),
            mode = format!("{:o}", mode & 0o7777),
            "other users may list the data directory, though not read what is kept in it; `chmod 700` it"
        );
    }
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("executions.db") {
            make_private(&entry.path());
        } else if name == "logs" || name == "events" {
            make_private(&entry.path());
            for file in fs::read_dir(entry.path())?.flatten() {
                make_private(&file.path());
            }
        }
    }
    Ok(())
}

/// A directory for its owner only, and all that are missing above it; one that exists stays as it is.
pub(crate) fn create_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Takes away what others may do with one of our own files, such as one that was copied here.
fn make_private(path: &Path) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let mode = metadata.permissions().mode();
    if metadata.is_symlink() || mode & OTHERS == 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode & 0o7700)) {
        tracing::warn!(path = %path.display(), %error, "others may read this file; `chmod go=` it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_directory_is_its_owners_and_one_that_exists_keeps_its_mode_but_not_that_of_our_files() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new/data");
        prepare(&new).unwrap();
        assert_eq!(mode(&new), 0o700);

        let shared = folder.path().join("shared");
        fs::create_dir_all(shared.join("logs")).unwrap();
        for file in ["executions.db", "executions.db-wal", "logs/1.jsonl", "notes.txt"] {
            fs::write(shared.join(file), "").unwrap();
            fs::set_permissions(shared.join(file), Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(&shared, Permissions::from_mode(0o755)).unwrap();
        prepare(&shared).unwrap();
        assert_eq!((mode(&shared), mode(&shared.join("notes.txt"))), (0o755, 0o644));
        assert_eq!(mode(&shared.join("logs")), 0o700);
        for file in ["executions.db", "executions.db-wal", "logs/1.jsonl"] {
            assert_eq!(mode(&shared.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn a_directory_that_everybody_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(prepare(folder.path()).unwrap_err().to_string().contains("chmod 700"));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        prepare(folder.path()).unwrap();
    }
}
