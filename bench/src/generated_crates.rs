//! Two crates that do the same: one written with the macros, one with plain `async fn`s.
//!
//! Both have as many steps as executions, each with types of its own and a body of ordinary length; both write the
//! result of every step into a journal as JSON, or read it from there, and hand every execution to a host that starts it
//! with JSON and wants JSON back. In the plain crate that is done in the least that does it, some 60 lines: no retries,
//! no timeouts, no identities, no graph. Everything else is the same text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How a crate's functions are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `#[durable_step]`, `#[durable_execution]`.
    Durable,
    /// Nothing.
    Plain,
}

impl Style {
    const fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Plain => "plain",
        }
    }

    /// The attributes of a step and of an execution.
    const fn attributes(self) -> [&'static str; 2] {
        match self {
            Self::Durable => {
                ["#[durable_step(retry(max_attempts = 3, initial_delay = \"1s\"))]", "#[durable_execution]"]
            }
            Self::Plain => ["", ""],
        }
    }

    const fn imports(self) -> &'static str {
        match self {
            Self::Durable => "use durable_runtime::{prelude::*, workflow::SharedWorkflow};\n",
            Self::Plain => "",
        }
    }

    /// What stands around the call of a step.
    const fn call(self) -> [&'static str; 2] {
        match self {
            Self::Durable => ["charge_@", ""],
            Self::Plain => ["host::recorded(\"charge_@\", charge_@", ")"],
        }
    }

    /// How an execution is handed to the host, and what the host is.
    const fn host(self) -> [&'static str; 2] {
        match self {
            Self::Durable => ["durable_runtime::workflow", "fn served() -> Vec<SharedWorkflow>"],
            Self::Plain => ["host::served", "fn served() -> Vec<host::Served>"],
        }
    }
}

/// What records and hosts the plain functions: JSON in, a future that is erased, JSON out.
const PLAIN_HOST: &str = r#"
mod host {
    use std::{collections::BTreeMap, fmt::Display, future::Future, pin::Pin, sync::Mutex};

    use serde::{Serialize, de::DeserializeOwned};

    static JOURNAL: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

    fn read(name: &str) -> Option<String> {
        JOURNAL.lock().ok()?.get(name).cloned()
    }

    fn write(name: &str, text: String) {
        if let Ok(mut journal) = JOURNAL.lock() {
            journal.insert(name.to_owned(), text);
        }
    }

    /// The result of a step, from the journal as soon as it is there.
    pub async fn recorded<T, E, Fut>(name: &str, step: Fut) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send,
        E: Serialize + DeserializeOwned + From<serde_json::Error> + Send,
        Fut: Future<Output = Result<T, E>> + Send,
    {
        let text = match read(name) {
            Some(text) => text,
            None => {
                let text = serde_json::to_string(&step.await)?;
                write(name, text.clone());
                text
            }
        };
        serde_json::from_str::<Result<T, E>>(&text)?
    }

    pub type Served = Box<dyn Fn(&str) -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

    pub fn served<I, O, E, F, Fut>(function: F) -> Served
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send,
        E: Serialize + Display + From<serde_json::Error> + Send,
        F: Fn(I) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send,
    {
        Box::new(move |input| {
            let function = function.clone();
            let input = serde_json::from_str::<I>(input);
            Box::pin(async move {
                let output = match input {
                    Ok(input) => function(input).await,
                    Err(error) => Err(E::from(error)),
                };
                match output {
                    Ok(output) => serde_json::to_string(&output).unwrap_or_default(),
                    Err(error) => format!("{error}: {}", serde_json::to_string(&error).unwrap_or_default()),
                }
            })
        })
    }
}
"#;

/// The start of both crates.
const SHARED: &str = r#"
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub cents: u64,
    pub pieces: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ShopError {
    Declined { reason: String },
    Empty,
}

impl std::fmt::Display for ShopError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<serde_json::Error> for ShopError {
    fn from(error: serde_json::Error) -> Self {
        Self::Declined { reason: error.to_string() }
    }
}
"#;

/// One step and one execution; `@` is their number.
const PAIR: &str = r#"
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order@ {
    pub id: u64,
    pub customer: String,
    pub lines: Vec<Line>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt@ {
    pub order: u64,
    pub cents: u64,
    pub positions: Vec<String>,
}

{step}
pub async fn charge_@(order: &Order@, discount: u64) -> Result<Receipt@, ShopError> {
    if order.lines.is_empty() {
        return Err(ShopError::Empty);
    }
    let mut positions = Vec::with_capacity(order.lines.len());
    let mut cents = 0;
    for line in &order.lines {
        let price = line.cents.saturating_mul(u64::from(line.pieces));
        cents += price;
        positions.push(format!("{} x {}: {price}", line.pieces, line.name));
    }
    if cents < discount {
        return Err(ShopError::Declined { reason: format!("{discount} is more than {cents}") });
    }
    Ok(Receipt@ { order: order.id, cents: cents - discount, positions })
}

{execution}
pub async fn checkout_@(order: Order@) -> Result<Vec<Receipt@>, ShopError> {
    let mut receipts = vec![{call}(&order, 0){end}.await?];
    let mut discount = 0;
    while let Some(last) = receipts.last()
        && last.cents > 10_000
        && receipts.len() < 4
    {
        discount += last.cents / 10;
        match {call}(&order, discount){end}.await {
            Ok(receipt) => receipts.push(receipt),
            Err(ShopError::Empty) => break,
            Err(error) => return Err(error),
        }
    }
    if let Some(note) = &order.note {
        tracing::info!(order = order.id, note, receipts = receipts.len(), "has a note");
    }
    Ok(receipts)
}
"#;

/// Writes a crate with `pairs` steps and as many executions below `folder`, and gives its own folder. `repository` is
/// where `durable-runtime` is.
///
/// # Errors
///
/// The disk is full or may not be written.
pub fn write(folder: &Path, repository: &Path, style: Style, pairs: usize) -> io::Result<PathBuf> {
    let root = folder.join(style.name());
    fs::create_dir_all(root.join("src"))?;
    fs::write(root.join("Cargo.toml"), manifest(style, repository))?;
    fs::write(root.join("src/main.rs"), program(style, pairs))?;
    Ok(root)
}

/// The same dependencies for both, so that cargo and the linker have the same to do.
fn manifest(style: Style, repository: &Path) -> String {
    let runtime = repository.join("durable-runtime");
    format!(
        "[package]\nname = \"compile-time-{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\ndurable-runtime = {{ path = {:?} }}\n\
         serde = {{ version = \"1\", features = [\"derive\", \"rc\"] }}\n\
         serde_json = {{ version = \"1\", features = [\"raw_value\"] }}\n\
         tracing = {{ version = \"0.1\", default-features = false, features = [\"std\"] }}\n\n[workspace]\n",
        style.name(),
        runtime
    )
}

fn program(style: Style, pairs: usize) -> String {
    let [step, execution] = style.attributes();
    let [call, end] = style.call();
    let [serve, signature] = style.host();
    let mut text = String::from("#![allow(dead_code, unused_imports)]\n\n");
    text += style.imports();
    text += "use serde::{Deserialize, Serialize};\n";
    text += SHARED;
    if style == Style::Plain {
        text += PLAIN_HOST;
    }
    for number in 0..pairs {
        let pair = PAIR.replace("{step}\n", &line(step)).replace("{execution}\n", &line(execution));
        text += &pair.replace("{call}", call).replace("{end}", end).replace('@', &number.to_string());
    }
    let served: String = (0..pairs).map(|number| format!("        {serve}(checkout_{number}),\n")).collect();
    text += &format!("\n{signature} {{\n    vec![\n{served}    ]\n}}\n");
    // Runs none of it; the length keeps all of it.
    text + "\nfn main() {\n    println!(\"{}\", served().len());\n}\n"
}

fn line(attribute: &str) -> String {
    if attribute.is_empty() { String::new() } else { format!("{attribute}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_differ_in_their_attributes_calls_and_host_only() {
        let (durable, plain) = (program(Style::Durable, 2), program(Style::Plain, 2));
        let host: Vec<_> = PLAIN_HOST.lines().collect();
        let own = |line: &&str| line.contains("durable_") || line.contains("served") || host.contains(line);
        let shared = |text: &str| {
            let lines = text.lines().filter(|line| !own(line));
            lines
                .map(|line| line.replace("host::recorded(\"charge_0\", ", "").replace("))", ")"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shared(&durable).len(), shared(&plain).len());
        let different = shared(&durable).into_iter().zip(shared(&plain)).filter(|(one, other)| one != other);
        assert!(
            different.clone().all(|(_, other)| other.contains("host::recorded(")),
            "{:#?}",
            different.collect::<Vec<_>>()
        );
        let (durable, plain): (Vec<_>, Vec<_>) = (durable.lines().collect(), plain.lines().collect());
        assert_eq!(durable.iter().filter(|line| line.starts_with("#[durable_")).count(), 4);
        assert!(plain.iter().all(|line| !line.starts_with("#[durable_")));
    }
}
