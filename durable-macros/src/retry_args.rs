//! The `retry` option: what was written, with defaults in place of what was not.

use std::time::Duration;

use proc_macro2::Ident;
use syn::{Expr, Lit, LitFloat, LitInt, Path};

use crate::diagnostics::Diagnostics;
use crate::duration::parse_duration;
use crate::raw_option::{RawOption, RawValue, split_options};

/// What `retry` asks for. Without it a step follows the default policy of the runtime.
pub(crate) enum Retry {
    /// `retry(none)`
    Never,
    /// `retry(max_attempts = 5, ..)`
    Policy(RetryArgs),
    /// `retry = path::to::POLICY`
    Expression(Expr),
}

/// A policy as it is built, with defaults in place of what was not written.
pub(crate) struct RetryArgs {
    pub(crate) max_attempts: u32,
    pub(crate) initial_delay: Duration,
    pub(crate) backoff: f64,
    pub(crate) max_delay: Duration,
    pub(crate) jitter: Jitter,
    pub(crate) retry_if: Option<Path>,
}

impl Default for RetryArgs {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_delay: Duration::from_secs(5),
            backoff: 2.0,
            max_delay: Duration::from_secs(300),
            jitter: Jitter::Full,
            retry_if: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Jitter {
    None,
    Half,
    Full,
}

/// The keys of `retry(..)`.
pub(crate) const RETRY_OPTIONS: &[&str] =
    &["max_attempts", "initial_delay", "backoff", "max_delay", "jitter", "retry_if"];

pub(crate) fn parse_retry(option: RawOption, problems: &mut Diagnostics) -> Option<Retry> {
    let list = match &option.value {
        RawValue::List(list) => list.stream(),
        RawValue::Assigned(_) => {
            return problems.accept(option.assigned("a policy")).map(Retry::Expression);
        }
        RawValue::Flag => {
            problems.push(
                &option.key,
                "`retry` doesn't say how; write `retry(max_attempts = 3)`, `retry(none)` or `retry = POLICY`",
            );
            return None;
        }
    };
    if list.to_string() == "none" {
        return Some(Retry::Never);
    }
    let mut policy = RetryArgs::default();
    let mut delays = None;
    for option in split_options(list, "`retry`", RETRY_OPTIONS, problems) {
        match option.key.to_string().as_str() {
            "max_attempts" => set(&mut policy.max_attempts, problems.accept(parse_attempts(&option))),
            "backoff" => set(&mut policy.backoff, problems.accept(parse_backoff(&option))),
            "jitter" => set(&mut policy.jitter, problems.accept(parse_jitter(&option))),
            "retry_if" => {
                policy.retry_if = problems.accept(
                    option.assigned_by(Path::parse_mod_style, "a function, as in `retry_if = is_transient`"),
                );
            }
            key => {
                let slot = if key == "max_delay" { &mut policy.max_delay } else { &mut policy.initial_delay };
                if let Some(literal) = problems.accept(option.string("5s")) {
                    set(slot, problems.accept(parse_duration(&literal)));
                    delays.get_or_insert(literal);
                }
            }
        }
    }
    if let Some(literal) = delays
        && policy.initial_delay > policy.max_delay
    {
        problems.push(
            literal,
            "`initial_delay` is longer than `max_delay`, which is 5 minutes unless it is given; \
             raise `max_delay`, or start with a shorter delay",
        );
    }
    Some(Retry::Policy(policy))
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn parse_attempts(option: &RawOption) -> syn::Result<u32> {
    let literal: LitInt = option.assigned("a number, as in `max_attempts = 3`")?;
    let attempts = literal.base10_parse()?;
    if attempts == 0 {
        return Err(syn::Error::new_spanned(
            literal,
            "a step with no attempts would never run; write at least 1, the first attempt counts",
        ));
    }
    Ok(attempts)
}

fn parse_backoff(option: &RawOption) -> syn::Result<f64> {
    let expected = "a number, as in `backoff = 2.0`";
    let literal: Lit = option.assigned(expected)?;
    let factor = match &literal {
        Lit::Float(float) => LitFloat::base10_parse(float)?,
        Lit::Int(int) => int.base10_parse()?,
        _ => return Err(syn::Error::new_spanned(literal, format!("`backoff` takes {expected}"))),
    };
    if !(1.0..=1_000.0).contains(&factor) {
        return Err(syn::Error::new_spanned(
            literal,
            "delays that shrink or explode are not a backoff; write a factor from 1.0 to 1000.0",
        ));
    }
    Ok(factor)
}

fn parse_jitter(option: &RawOption) -> syn::Result<Jitter> {
    let word: Ident = option.assigned("`none`, `half` or `full`")?;
    match word.to_string().as_str() {
        "none" => Ok(Jitter::None),
        "half" => Ok(Jitter::Half),
        "full" => Ok(Jitter::Full),
        _ => Err(syn::Error::new_spanned(
            &word,
            format!("`{word}` is not a jitter; use `none`, `half` or `full`"),
        )),
    }
}
