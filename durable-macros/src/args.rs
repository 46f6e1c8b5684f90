//! Attribute arguments: what was written, option by option, each problem at its own tokens.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use syn::{LitInt, LitStr, Path, Type};

use crate::diagnostics::Diagnostics;
use crate::duration::parse_positive_duration;
use crate::raw_option::{RawOption, split_options};
use crate::retry_args::{Retry, parse_retry};

/// The options of `#[durable_step]`, and those that `step!` shares.
#[derive(Default)]
pub(crate) struct StepArgs {
    pub(crate) retry: Option<Retry>,
    pub(crate) at_most_once: Option<Ident>,
    pub(crate) timeout: Option<Duration>,
    /// What undoes the step: a path or a closure.
    pub(crate) compensate: Option<syn::Expr>,
    pub(crate) common: CommonArgs,
}

impl StepArgs {
    /// Whether an attempt can end without an answer of its own, so that the error type has to provide one.
    pub(crate) fn is_interruptible(&self) -> bool {
        self.at_most_once.is_some() || self.timeout.is_some()
    }
}

/// The options that both attributes know.
#[derive(Default)]
pub(crate) struct CommonArgs {
    pub(crate) name: Option<LitStr>,
    pub(crate) serdes: Option<Type>,
    pub(crate) runtime: Option<Path>,
    /// Of an execution only.
    pub(crate) version: Option<u32>,
}

const STEP_OPTIONS: &[&str] = &["retry", "at_most_once", "timeout", "compensate", "name", "serdes", "crate"];
const INLINE_STEP_OPTIONS: &[&str] = &["retry", "at_most_once", "timeout", "serdes"];
const EXECUTION_OPTIONS: &[&str] = &["version", "name", "serdes", "crate"];

pub(crate) fn parse_step_args(tokens: TokenStream, problems: &mut Diagnostics) -> StepArgs {
    parse_step_options(tokens, "`#[durable_step]`", STEP_OPTIONS, problems)
}

pub(crate) fn parse_inline_step_args(tokens: TokenStream, problems: &mut Diagnostics) -> StepArgs {
    parse_step_options(tokens, "`step!`", INLINE_STEP_OPTIONS, problems)
}

fn parse_step_options(
    tokens: TokenStream,
    place: &str,
    known: &[&str],
    problems: &mut Diagnostics,
) -> StepArgs {
    let mut args = StepArgs::default();
    for option in split_options(tokens, place, known, problems) {
        match option.key.to_string().as_str() {
            "retry" => args.retry = parse_retry(option, problems),
            "at_most_once" => args.at_most_once = problems.accept(option.flag()),
            "timeout" => {
                let literal = option.string("30s").and_then(|text| parse_positive_duration(&text));
                args.timeout = problems.accept(literal);
            }
            "compensate" => {
                args.compensate = problems.accept(
                    option.assigned("a durable step that undoes this one, as in `compensate = refund`"),
                );
            }
            _ => args.common.set(option, problems),
        }
    }
    args
}

pub(crate) fn parse_execution_args(tokens: TokenStream, problems: &mut Diagnostics) -> CommonArgs {
    let mut args = CommonArgs::default();
    for option in split_options(tokens, "`#[durable_execution]`", EXECUTION_OPTIONS, problems) {
        args.set(option, problems);
    }
    args
}

impl CommonArgs {
    fn set(&mut self, option: RawOption, problems: &mut Diagnostics) {
        match option.key.to_string().as_str() {
            "name" => self.name = problems.accept(option.string("charge").and_then(check_name)),
            "version" => {
                let literal = option.assigned("a number, as in `version = 2`");
                self.version = problems.accept(literal.and_then(|literal| parse_version(&literal)));
            }
            "serdes" => self.serdes = problems.accept(option.assigned("a type, as in `serdes = MySerdes`")),
            _ => {
                self.runtime = problems.accept(
                    option.assigned_by(Path::parse_mod_style, "a path, as in `crate = my_crate::durable`"),
                );
            }
        }
    }
}

/// The number of a version, from 1.
pub(crate) fn parse_version(literal: &LitInt) -> syn::Result<u32> {
    match literal.base10_parse() {
        Ok(0) => {
            Err(syn::Error::new_spanned(literal, "versions are counted from 1; write `version = 1` or more"))
        }
        parsed => parsed,
    }
}

/// A name that the service takes: 1 to 256 printable ASCII characters.
pub(crate) fn check_name(name: LitStr) -> syn::Result<LitStr> {
    match name_problem(&name.value()) {
        None => Ok(name),
        Some(problem) => Err(syn::Error::new_spanned(&name, problem)),
    }
}

/// Says why the service would refuse this name, if it would.
pub(crate) fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("an operation can't have an empty name; write one, or leave `name` out".to_owned());
    }
    if let Some(odd) = name.chars().find(|c| !matches!(c, ' '..='~')) {
        return Some(format!(
            "the name of an operation is limited to printable ascii, and `{}` is not; use other characters",
            odd.escape_default()
        ));
    }
    let length = name.len();
    (length > 256).then(|| {
        format!(
            "the name of an operation is limited to 256 characters, and this one has {length}; shorten it"
        )
    })
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;
    use crate::retry_args::Jitter;

    fn problems_of(tokens: TokenStream) -> Vec<String> {
        let mut problems = Diagnostics::default();
        parse_step_args(tokens, &mut problems);
        problems.messages()
    }

    #[test]
    fn understands_every_option() {
        let mut problems = Diagnostics::default();
        let args = parse_step_args(
            quote!(
                retry(max_attempts = 5, initial_delay = "1s", backoff = 3, max_delay = "1m", jitter = half, retry_if = a::b),
                at_most_once, timeout = "30s", name = "charge card", serdes = My<u8>, crate = a::b,
            ),
            &mut problems,
        );
        assert_eq!(problems.messages(), Vec::<String>::new());
        let Some(Retry::Policy(policy)) = args.retry else { panic!("a policy was written") };
        assert_eq!(policy.max_attempts, 5);
        assert_eq!(policy.initial_delay, Duration::from_secs(1));
        assert!((policy.backoff - 3.0).abs() < f64::EPSILON);
        assert_eq!(policy.max_delay, Duration::from_secs(60));
        assert_eq!(policy.jitter, Jitter::Half);
        assert!(policy.retry_if.is_some());
        assert!(args.at_most_once.is_some());
        assert_eq!(args.timeout, Some(Duration::from_secs(30)));
        assert_eq!(args.common.name.map(|name| name.value()), Some("charge card".to_owned()));
        assert!(args.common.serdes.is_some() && args.common.runtime.is_some());
    }

    #[test]
    fn reports_all_problems_at_once_and_each_once() {
        let problems = problems_of(quote!(
            retries = 3,
            timeout = "3weeks",
            timeout = "1s",
            at_most_once = true,
            max_attempts = 2,
            name = "é",
            7
        ));
        let expected = [
            "unknown option `retries`; `#[durable_step]` knows `retry`, `at_most_once`, `timeout`, `compensate`, `name`, `serdes` and `crate`",
            "`timeout` is given twice; keep one of them",
            "`max_attempts` belongs to the retry policy; write `retry(max_attempts = ..)`",
            "this is not an option",
            "`weeks` is not a unit",
            "`at_most_once` takes no value; write `at_most_once`",
            "limited to printable ascii",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for part in expected {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
        }
    }

    #[test]
    fn says_which_form_an_option_takes() {
        for (tokens, part) in [
            (quote!(timeout = 30), "`timeout` takes a string, as in `timeout = \"30s\"`"),
            (quote!(timeout), "`timeout` takes a string"),
            (quote!(timeout = ), "`timeout` takes a string"),
            (quote!(timeout("1s")), "`timeout` takes a string"),
            (quote!(timeout = "0s"), "a duration of zero"),
            (quote!(retry), "`retry` doesn't say how"),
            (quote!(retry(max_attempts = 0)), "a step with no attempts"),
            (quote!(retry(backoff = 0.5)), "not a backoff"),
            (quote!(retry(jitter = some)), "`some` is not a jitter"),
            (quote!(retry(delay = "1s")), "unknown option `delay`; `retry` knows"),
            (quote!(retry(initial_delay = "10m")), "`initial_delay` is longer than `max_delay`"),
            (quote!(name = ""), "empty name"),
            (quote!(at_most_once "x"), "a comma or `=` has to follow `at_most_once`"),
        ] {
            let problems = problems_of(tokens.clone());
            assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{tokens}: {problems:#?}");
        }
    }
}
