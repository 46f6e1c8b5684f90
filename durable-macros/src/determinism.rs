//! Walks the body of an execution for what a replay would do differently: the clock, randomness,
//! the environment, I/O, spawning, racing.
//!
//! A courtesy, not a proof: matching is by the written path, so an alias passes. The types and the run
//! time are the nets that hold.

use proc_macro2::{TokenStream, TokenTree};

use crate::awaits::closure_parameters_len;
use crate::diagnostics::Diagnostics;
use crate::forbidden::{CONDITIONAL_MACROS, MACROS, PATHS, Reason, Rule};
use crate::literals::check_literals;
use crate::tokens::{PathAt, foreign_region_at, group_at, is_ident, is_punct, macro_at, path_at};

/// Reports everything in `body` that is not deterministic.
pub(crate) fn check_determinism(body: TokenStream, problems: &mut Diagnostics) {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        at += check_next(&tokens, at, problems);
    }
}

/// Checks what starts here and returns how many tokens are done with.
fn check_next(tokens: &[TokenTree], at: usize, problems: &mut Diagnostics) -> usize {
    if let Some(len) = foreign_region_at(tokens, at) {
        return len;
    }
    if let Some(forbidden) = forbidden_at(tokens, at) {
        problems.push(slice(tokens, at, forbidden.path_len), forbidden.reason.message(&forbidden.shown));
        let arguments = at + forbidden.path_len + usize::from(is_punct(tokens, at + forbidden.path_len, '!'));
        let skipped = forbidden.reason.covers_arguments() && group_at(tokens, arguments).is_some();
        return if skipped { arguments + 1 - at } else { forbidden.path_len };
    }
    check_literals(tokens, at, problems);
    if let Some(call) = macro_at(tokens, at) {
        let name = call.name.to_string();
        if CONDITIONAL_MACROS.contains(&name.as_str()) {
            check_conditional(call.arguments.stream(), &name, problems);
        }
        return call.path.len;
    }
    if is_ident(tokens, at, "async") {
        let parameters = at + 1 + usize::from(is_ident(tokens, at + 1, "move"));
        if let Some(len) = closure_parameters_len(tokens, parameters) {
            problems.push(
                slice(tokens, at, parameters + len - at),
                "the future of an `async` closure can't be required to be `Send`, so it can't be a durable branch; \
                 write `|x| async move { .. }`",
            );
            return parameters + len - at;
        }
    }
    if let Some(path) = path_at(tokens, at) {
        return path.len;
    }
    if let Some(group) = group_at(tokens, at) {
        check_determinism(group.stream(), problems);
    }
    1
}

/// A forbidden path, or the path of a forbidden macro.
pub(crate) struct Forbidden {
    pub(crate) path_len: usize,
    pub(crate) reason: Reason,
    /// The end of the path that the rule speaks of.
    pub(crate) shown: String,
}

/// What is forbidden about the path that starts here, if anything.
pub(crate) fn forbidden_at(tokens: &[TokenTree], at: usize) -> Option<Forbidden> {
    let path = path_at(tokens, at)?;
    let is_macro = macro_at(tokens, at).is_some();
    let rule = if is_macro { MACROS } else { PATHS }.iter().find(|rule| ends_with(&path, rule))?;
    let mentions_only = !is_macro && rule.suffix.len() == 1 && group_at(tokens, at + path.len).is_none();
    if mentions_only {
        return None;
    }
    let from = path.segments.len() - rule.suffix.len();
    let shown: Vec<String> = path.segments.iter().skip(from).map(ToString::to_string).collect();
    Some(Forbidden { path_len: path.len, reason: rule.reason, shown: shown.join("::") })
}

fn ends_with(path: &PathAt<'_>, rule: &Rule) -> bool {
    let Some(from) = path.segments.len().checked_sub(rule.suffix.len()) else { return false };
    let names_a_module = rule.suffix.first().is_some_and(|first| first.starts_with(char::is_lowercase));
    let is_users_own =
        path.segments.first().is_some_and(|first| *first == "crate" || *first == "self" || *first == "super");
    if names_a_module && is_users_own {
        return false;
    }
    path.segments.iter().skip(from).zip(rule.suffix).all(|(written, expected)| match *expected {
        "*" => written.to_string().starts_with(|c: char| c.is_lowercase()),
        expected => *written == expected,
    })
}

/// An `.await` here happens or not, depending on settings that no history knows.
fn check_conditional(arguments: TokenStream, name: &str, problems: &mut Diagnostics) {
    let tokens: Vec<TokenTree> = arguments.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(len) = foreign_region_at(&tokens, at) {
            at += len;
            continue;
        }
        if is_punct(&tokens, at, '.') && is_ident(&tokens, at + 1, "await") {
            let when = if name.starts_with("debug_assert") {
                "in builds with debug assertions, so the history would depend on the build"
            } else {
                "when that log level is enabled, so the history would depend on the log settings"
            };
            problems.push(
                slice(&tokens, at + 1, 1),
                format!("`.await` inside `{name}!` runs only {when}; bind it with `let` first"),
            );
        } else if let Some(group) = group_at(&tokens, at) {
            check_conditional(group.stream(), name, problems);
        }
        at += 1;
    }
}

fn slice(tokens: &[TokenTree], at: usize, len: usize) -> TokenStream {
    tokens.iter().skip(at).take(len).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(source: &str) -> Vec<String> {
        let mut problems = Diagnostics::default();
        check_determinism(source.parse().expect("test source is made of tokens"), &mut problems);
        problems.messages()
    }

    #[test]
    fn each_mistake_is_reported_once() {
        for (source, part) in [
            (
                "let t = std::time::SystemTime::now();",
                "`SystemTime::now()` gives a different answer on replay; use `now().await`",
            ),
            ("Instant::now()", "`Instant::now()`"),
            ("chrono::Utc::now()", "`Utc::now()`"),
            ("jiff::Timestamp::now()", "`Timestamp::now()`"),
            ("x.map(SystemTime::now)", "`SystemTime::now()`"),
            (
                "uuid::Uuid::new_v4()",
                "`Uuid::new_v4()` gives a different answer on replay; use `uuid().await`",
            ),
            (
                "rand::random::<u32>()",
                "`rand::random()` gives a different answer on replay; use `random().await`",
            ),
            ("rand::rng().random()", "`rand::rng()`"),
            ("thread_rng().gen::<u8>()", "`thread_rng()`"),
            ("::fastrand::u32(..)", "`fastrand::u32()`"),
            ("std::env::var(\"HOME\")", "`env::var` may give"),
            ("std::process::id()", "`process::id` gives"),
            ("std::process::Command::new(\"ls\")", "`process::Command::new` gives"),
            ("tokio::fs::read(path).await", "`tokio::fs::read` touches the file system"),
            ("File::open(path)", "`File::open` touches"),
            ("TcpStream::connect(a).await", "talks to the network"),
            ("reqwest::get(url).await?.text().await?", "`reqwest::get` talks"),
            ("tokio::spawn(async { tokio::time::sleep(d).await })", "`tokio::spawn` starts work that"),
            ("std::thread::sleep(d)", "`thread::sleep` blocks"),
            ("tokio::time::sleep(d).await", "`tokio::time::sleep` is a timer"),
            ("tokio::time::timeout(d, charge()).await", "use the `timeout` of the operation"),
            ("tokio::select! { _ = tokio::time::sleep(d) => {} }", "`tokio::select!` polls its branches"),
            ("select! { a = b => {} }", "`select!` polls"),
            ("tokio::try_join!(a, b)", "use the `try_join!` of `durable_runtime`"),
            ("println!(\"{}\", Uuid::new_v4())", "`Uuid::new_v4()`"),
            ("items.iter().map(|_| Utc::now())", "`Utc::now()`"),
            ("tracing::info!(\"{}\", f(a.await))", "`.await` inside `info!` runs only when that log level"),
            ("debug_assert!(a.await)", "depend on the build"),
            ("map(v, async move |x| { x })", "write `|x| async move { .. }`"),
            ("map(v, async || {})", "`async` closure"),
        ] {
            let problems = problems_of(source);
            assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{source}: {problems:#?}");
        }
    }

    #[test]
    fn deterministic_code_passes() {
        for source in [
            "nondeterministic!(SystemTime::now())",
            "step!(\"read\", { tokio::fs::read(path).await })",
            "fn helper() -> u64 { rand::random() }",
            "macro_rules! now { () => { SystemTime::now() } }",
            "use std::time::SystemTime; use tokio::{select, spawn};",
            "#[cfg(fs::read)] let a = 1;",
            "now().await; uuid().await; random::<u32>().await",
            "rand::rngs::StdRng::seed_from_u64(7)",
            "fastrand::Rng::with_seed(7)",
            "let address: std::net::IpAddr = text.parse()?;",
            "crate::fs::read(x); self::rand::pick(); super::env::var(1)",
            "Command::new(\"cancel\"); clap::Command::new(\"x\")",
            "join!(a, b).await; race!(a, b).await; try_join!(a, b).await",
            "info!(\"{}\", total); println!(\"{}\", a.await)",
            "let spawn_blocking = 1; spawn_blocking + 1",
            "order.select(1); x.spawn(y)",
            "if a != (b) { wait(d).await }",
            "|x| async move { x.await }",
        ] {
            assert_eq!(problems_of(source), Vec::<String>::new(), "{source}");
        }
    }
}
