//! Durations as users write them: `"500ms"`, `"30s"`, `"1h30m"`.

use std::time::Duration;

use syn::LitStr;

/// The shortest and the longest wait that the service takes, in seconds.
const WAIT_SECONDS: std::ops::RangeInclusive<u64> = 1..=31_622_400;

/// Units from the largest to the smallest, the order in which they have to be written.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration literal; the error is at the literal.
pub(crate) fn parse_duration(literal: &LitStr) -> syn::Result<Duration> {
    let text = literal.value();
    milliseconds(&text)
        .map(Duration::from_millis)
        .map_err(|problem| syn::Error::new_spanned(literal, format!("`{text}` is not a duration: {problem}")))
}

/// As [`parse_duration`], for places where no time at all makes no sense.
pub(crate) fn parse_positive_duration(literal: &LitStr) -> syn::Result<Duration> {
    let duration = parse_duration(literal)?;
    if duration.is_zero() {
        return Err(syn::Error::new_spanned(
            literal,
            "a duration of zero would never let anything finish; write at least `1ms`, or leave it out",
        ));
    }
    Ok(duration)
}

/// Says what is wrong with a wait of this length, if anything is.
pub(crate) fn wait_problem(duration: Duration) -> Option<String> {
    if duration < Duration::from_secs(*WAIT_SECONDS.start()) {
        let (shown, least) = (shown(duration), WAIT_SECONDS.start());
        return Some(format!(
            "a wait of {shown} is too short, because the service counts in whole seconds; \
             wait for at least {least} s, or leave the wait out"
        ));
    }
    if duration > Duration::from_secs(*WAIT_SECONDS.end()) {
        let most = WAIT_SECONDS.end() / 86_400;
        return Some(format!(
            "a wait of {} is longer than {most} days, the most that the service takes; \
             wait in a loop, or for a `callback`",
            shown(duration)
        ));
    }
    None
}

fn shown(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    if text.trim().is_empty() {
        return Err("it is empty; write a number and a unit, such as `30s` or `1h30m`".to_owned());
    }
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
        let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && !c.is_whitespace());
        if digits.is_empty() {
            return Err(format!("a number has to stand before `{unit}`; write for example `30s` or `1h30m`"));
        }
        if unit.is_empty() && !after.is_empty() {
            return Err(format!(
                "the unit has to follow `{digits}` without a space; write for example `30s`"
            ));
        }
        if unit.is_empty() {
            return Err(format!("`{digits}` has no unit; use `ms`, `s`, `m`, `h` or `d`"));
        }
        let number: u64 = digits.parse().map_err(|_| format!("`{digits}` is too large"))?;
        let Some((_, factor)) = units.find(|(name, _)| *name == unit) else {
            return Err(if UNITS.iter().any(|(name, _)| *name == unit) {
                "units go from the largest to the smallest, each once, as in `1h30m`".to_owned()
            } else {
                format!("`{unit}` is not a unit; use `ms`, `s`, `m`, `h` or `d`")
            });
        };
        total = number
            .checked_mul(*factor)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "it is too large".to_owned())?;
        rest = after.trim_start();
    }
    Ok(total)
}

fn split_while(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit_and_combinations() {
        for (text, expected) in [
            ("1ms", 1),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("0s", 0),
        ] {
            assert_eq!(milliseconds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("", "it is empty"),
            ("30", "no unit"),
            ("s", "a number has to stand before `s`"),
            ("30 s", "has to follow `30` without a space"),
            ("3weeks", "`weeks` is not a unit"),
            ("1.5h", "`.` is not a unit"),
            ("-1s", "a number has to stand before `-`"),
            ("30m1h", "from the largest to the smallest"),
            ("1s1s", "each once"),
            ("99999999999999999999s", "too large"),
            ("18446744073709551615d", "too large"),
            ("1ſ", "is not a unit"),
        ] {
            let problem = milliseconds(text).expect_err(text);
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn knows_the_bounds_of_a_wait() {
        assert!(wait_problem(Duration::from_millis(999)).is_some_and(|text| text.contains("999 ms")));
        assert_eq!(wait_problem(Duration::from_secs(1)), None);
        assert_eq!(wait_problem(Duration::from_secs(31_622_400)), None);
        assert!(wait_problem(Duration::from_secs(31_622_401)).is_some_and(|text| text.contains("366 days")));
    }
}
