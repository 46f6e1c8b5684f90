//! Durations that are written out in calls of the DSL, checked while compiling.

use std::time::Duration;

use proc_macro2::{Delimiter, Group, Literal, TokenTree};
use quote::ToTokens;
use syn::{LitInt, LitStr};

use crate::diagnostics::Diagnostics;
use crate::duration::{parse_duration, parse_positive_duration, wait_problem};
use crate::tokens::{group_at, ident_at, is_punct, path_at};

/// Checks `wait("1h")`, `wait(Duration::from_secs(1))`, `.timeout("24h")` and `.heartbeat("1h")`.
pub(crate) fn check_literals(tokens: &[TokenTree], at: usize, problems: &mut Diagnostics) {
    if is_punct(tokens, at, '.') {
        let is_option = ident_at(tokens, at + 1).is_some_and(|name| name == "timeout" || name == "heartbeat");
        if is_option && let Some(literal) = arguments_at(tokens, at + 2).and_then(only_string) {
            problems.accept(parse_positive_duration(&literal));
        }
    } else if let Some(path) = path_at(tokens, at)
        && path.segments.last().is_some_and(|name| *name == "wait")
        && let Some(arguments) = arguments_at(tokens, at + path.len)
    {
        check_wait(arguments, problems);
    }
}

fn check_wait(arguments: &Group, problems: &mut Diagnostics) {
    let written = if let Some(literal) = only_string(arguments) {
        problems.accept(parse_duration(&literal))
    } else {
        constructed_duration(arguments)
    };
    if let Some(problem) = written.and_then(wait_problem) {
        problems.push(arguments.stream(), problem);
    }
}

/// `Duration::from_secs(<literal>)` and its siblings.
fn constructed_duration(arguments: &Group) -> Option<Duration> {
    let tokens: Vec<TokenTree> = arguments.stream().into_iter().collect();
    let path = path_at(&tokens, 0)?;
    let [.., of, constructor] = path.segments.as_slice() else { return None };
    if *of != "Duration" || tokens.len() != path.len + 1 {
        return None;
    }
    let literal = only_literal(arguments_at(&tokens, path.len)?)?;
    let number: u64 = syn::parse2::<LitInt>(literal.into_token_stream()).ok()?.base10_parse().ok()?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match constructor.to_string().as_str() {
        "from_nanos" => Some(Duration::from_nanos(number)),
        "from_micros" => Some(Duration::from_micros(number)),
        "from_millis" => Some(Duration::from_millis(number)),
        "from_secs" => seconds(1),
        "from_mins" => seconds(60),
        "from_hours" => seconds(3_600),
        "from_days" => seconds(86_400),
        "from_weeks" => seconds(604_800),
        _ => None,
    }
}

fn arguments_at(tokens: &[TokenTree], at: usize) -> Option<&Group> {
    group_at(tokens, at).filter(|group| group.delimiter() == Delimiter::Parenthesis)
}

fn only_literal(group: &Group) -> Option<Literal> {
    let mut tokens = group.stream().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Literal(literal)), None) => Some(literal),
        _ => None,
    }
}

fn only_string(group: &Group) -> Option<LitStr> {
    syn::parse2(only_literal(group)?.into_token_stream()).ok()
}

#[cfg(test)]
mod tests {
    use crate::determinism::check_determinism;
    use crate::diagnostics::Diagnostics;

    fn problems_of(source: &str) -> Vec<String> {
        let mut problems = Diagnostics::default();
        check_determinism(source.parse().expect("test source is made of tokens"), &mut problems);
        problems.messages()
    }

    #[test]
    fn written_durations_are_checked() {
        for (source, part) in [
            ("wait(Duration::from_secs(0)).await", "a wait of 0 s is too short"),
            ("durable_runtime::wait(std::time::Duration::from_millis(500))", "a wait of 500 ms is too short"),
            ("wait(Duration::from_days(400))", "longer than 366 days"),
            ("wait(\"3weeks\")", "`weeks` is not a unit"),
            ("wait(\"10ms\")", "a wait of 10 ms is too short"),
            ("callback(\"a\").timeout(\"24\")", "`24` has no unit"),
            ("callback(\"a\").heartbeat(\"0s\")", "a duration of zero"),
        ] {
            let problems = problems_of(source);
            assert!(matches!(problems.as_slice(), [one] if one.contains(part)), "{source}: {problems:#?}");
        }
    }

    #[test]
    fn what_is_fine_or_computed_passes() {
        for source in [
            "wait(Duration::from_secs(1)).await",
            "wait(Duration::from_hours(1))",
            "wait(\"1h30m\")",
            "wait(delay)",
            "wait(Duration::from_secs(n))",
            "child.wait(Duration::from_secs(0))",
            "callback(\"a\").timeout(\"24h\").heartbeat(limit)",
        ] {
            assert_eq!(problems_of(source), Vec::<String>::new(), "{source}");
        }
    }
}
