//! `durable.toml`: where the server keeps its data, and its functions.
//!
//! ```toml
//! port = 9014
//! data = ".durable"
//! retention = "30d"
//!
//! [functions.checkout]
//! command = "target/lambda/checkout/bootstrap"
//! timeout = "30s"
//! execution_timeout = "7d"
//! environment = { TABLE = "orders" }
//! build = "cargo lambda build"
//! watch = ["src", "Cargo.toml"]
//!
//! [functions.rates]
//! url = "http://127.0.0.1:9000/2015-03-31/functions/function/invocations"
//! durable = false
//! ```

mod function;
mod retention;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use function::FunctionConfig;
pub(crate) use function::Target;
pub use retention::{NoRetention, Retention};

/// What `durable.toml` says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// The address to listen on.
    pub host: Option<IpAddr>,
    /// Names by which the server may be called, besides `localhost`.
    #[serde(default)]
    pub allow_hosts: Vec<String>,
    /// The region in ARNs, and of the functions.
    pub region: Option<String>,
    /// The port to listen on.
    pub port: Option<u16>,
    /// The directory of executions and logs.
    pub data: Option<PathBuf>,
    /// How long executions are kept after their end.
    pub retention: Option<Retention>,
    /// The functions by name.
    #[serde(default)]
    pub functions: BTreeMap<String, FunctionConfig>,
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can't be understood.
    #[error("{}: {source}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A function's settings contradict each other, or the service's limits.
    #[error("function '{function}': {problem}")]
    Function {
        /// The function.
        function: String,
        /// What is wrong, and what to write instead.
        problem: String,
    },
}

impl Settings {
    /// Reads the settings in `path`; relative paths in them are taken from the file's own directory.
    ///
    /// # Errors
    ///
    /// The file can't be read, or says something that is no setting.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let base = path.parent().unwrap_or(Path::new(""));
        if let Some(data) = &mut settings.data {
            *data = base.join(&data);
        }
        for function in settings.functions.values_mut() {
            function.resolve_paths(base);
        }
        Ok(settings)
    }

    /// Reads `durable.toml` in the current directory; the defaults when there is none.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub fn read_default() -> Result<Self, ConfigError> {
        match Self::read(Path::new("durable.toml")) {
            Err(ConfigError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(Self::default())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_file_is_read_and_its_paths_are_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("durable.toml");
        let text = r#"
            port = 9014
            data = ".durable"
            retention = "30d"
            [functions.checkout]
            command = "target/bootstrap --verbose"
            timeout = "30s"
            environment = { TABLE = "orders" }
            [functions.rates]
            url = "http://127.0.0.1:9000/"
            durable = false
            retention = "forever"
        "#;
        fs::write(&path, text).unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!(settings.port, Some(9014));
        assert_eq!(settings.data, Some(folder.path().join(".durable")));
        let checkout = &settings.functions["checkout"];
        assert_eq!(checkout.directory.as_deref(), Some(folder.path()));
        assert!(!settings.functions["rates"].durable);
        assert_eq!(settings.retention, Some(Retention::For(Duration::from_secs(30 * 24 * 60 * 60))));
        assert_eq!(settings.functions["rates"].retention, Some(Retention::Forever));
        assert_eq!(checkout.retention, None);
    }

    #[test]
    fn a_setting_that_is_none_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("durable.toml");
        fs::write(&path, "[functions.f]\ncomand = \"x\"\n").unwrap();
        let refused = Settings::read(&path).unwrap_err().to_string();
        assert!(refused.contains("comand") && refused.contains("line 2"), "{refused}");
    }
}
