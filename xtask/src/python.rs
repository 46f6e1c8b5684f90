//! Virtual environments: Python packages at pinned versions, in a folder of `target`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::command::root;

/// The last thing that is written into an environment, so that only a complete one has it.
const STAMP: &str = "complete";

/// A virtual environment whose packages are installed.
#[derive(Debug)]
pub(crate) struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// A program of the environment, such as `python` or what a package brings.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }
}

/// The environment `target/<name>-venv` with the packages of `requirements`, a path from the root of the workspace.
/// It is made when there is none for what that file says now.
///
/// The file has to name every package with its version, those that others need included: nothing else is installed.
pub(crate) fn venv(name: &str, requirements: &str) -> Result<Venv> {
    let directory = root().join("target").join(format!("{name}-venv"));
    made(&directory, &root().join(requirements), Path::new("python3"))
}

fn made(directory: &Path, requirements: &Path, python: &Path) -> Result<Venv> {
    let wanted = stamp(requirements, python)?;
    fs::create_dir_all(directory.parent().context("an environment is in a folder")?)?;
    // Two runs at the same time would install into each other's folder. Closing the file unlocks it.
    let lock = directory.with_extension("lock");
    let lock = File::create(&lock).with_context(|| format!("can't create {}", lock.display()))?;
    lock.lock().context("can't wait for another run that makes the same environment")?;

    let venv = Venv { directory: directory.to_owned() };
    let stamp = directory.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(venv);
    }
    eprintln!("==> installing {} into {}", requirements.display(), directory.display());
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("can't remove {}", directory.display()))?;
    }
    // Debian has `venv` in a package of its own; the interpreter says so when it lacks.
    run(Command::new(python).args(["-m", "venv"]).arg(directory))?;
    let pip = || {
        let mut pip = Command::new(venv.program("python"));
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]);
        pip
    };
    run(pip().args(["install", "--no-deps", "--requirement"]).arg(requirements))?;
    // Fails when a package needs another that the file does not name.
    run(pip().arg("check"))?;
    fs::write(&stamp, wanted).with_context(|| format!("can't write {}", stamp.display()))?;
    Ok(venv)
}

/// What an environment depends on: the packages, and the interpreter that they are installed for.
fn stamp(requirements: &Path, python: &Path) -> Result<String> {
    let packages =
        fs::read_to_string(requirements).with_context(|| format!("can't read {}", requirements.display()))?;
    let version = Command::new(python).arg("--version").output().with_context(|| {
        format!(
            "`{}` could not be started; install Python 3.10 or newer (Debian: python3 and python3-venv)",
            python.display()
        )
    })?;
    ensure!(version.status.success(), "`{} --version` failed", python.display());
    Ok(format!("{}{packages}", String::from_utf8_lossy(&version.stdout)))
}

fn run(command: &mut Command) -> Result<()> {
    // Standard output is for the counts of the tests.
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{command:?} could not be started"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed, {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Stands for Python: `-m venv DIR` copies it to `DIR/bin/python`, `-m pip …` is noted, and fails when it is told.
    const INTERPRETER: &str = r#"#!/bin/sh
set -e
folder=FOLDER
case "$*" in
    --version) echo "Python $(cat "$folder/version")" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *install*) echo installed >> "$folder/log" && test ! -e "$folder/offline" ;;
    *check*) ;;
esac
"#;

    #[test]
    fn an_environment_is_made_again_only_when_it_has_to() {
        let folder = std::env::temp_dir().join(format!("xtask-python-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let python = folder.join("python3");
        fs::write(&python, INTERPRETER.replace("FOLDER", folder.to_str().unwrap())).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let requirements = folder.join("requirements.txt");
        let write = |file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        let directory = folder.join("some-venv");
        let make = || made(&directory, &requirements, &python);
        let installed = || fs::read_to_string(folder.join("log")).unwrap().lines().count();

        write("version", "3.11.7");
        write("requirements.txt", "pytest==9.2.0\n");
        // An installation that failed leaves nothing that is taken for an environment.
        write("offline", "");
        assert!(make().unwrap_err().to_string().contains("install"));
        fs::remove_file(folder.join("offline")).unwrap();
        let venv = make().unwrap();
        assert!(venv.program("python").exists());
        assert_eq!(installed(), 2);

        make().unwrap();
        assert_eq!(installed(), 2, "nothing has changed");
        write("requirements.txt", "pytest==9.2.0\nboto3==1.44.5\n");
        make().unwrap();
        assert_eq!(installed(), 3, "other packages");
        write("version", "3.12.0");
        make().unwrap();
        assert_eq!(installed(), 4, "another interpreter");

        let absent = made(&directory, &requirements, &folder.join("absent")).unwrap_err();
        assert!(absent.to_string().contains("install Python"), "{absent}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
