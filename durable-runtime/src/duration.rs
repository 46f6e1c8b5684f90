//! Durations as users write them: a [`Duration`] or text such as `"24h"`, `"1h30m"`, `"250ms"`.

use std::time::Duration;

/// What can be given where a duration is wanted.
///
/// Text is a sequence of whole numbers with units: `ms`, `s`, `m`, `h`, `d`. Literals are checked at compile
/// time inside a `#[durable_execution]`; computed text that can't be read fails the execution.
pub trait IntoDuration {
    /// The duration.
    ///
    /// # Errors
    ///
    /// The text is not a duration; the message says what one looks like.
    fn into_duration(self) -> Result<Duration, String>;
}

impl IntoDuration for Duration {
    fn into_duration(self) -> Result<Duration, String> {
        Ok(self)
    }
}

impl IntoDuration for &str {
    fn into_duration(self) -> Result<Duration, String> {
        parse(self).ok_or_else(|| {
            format!("`{self}` is not a duration; write numbers with units, such as `30s`, `1h30m` or `7d`")
        })
    }
}

impl IntoDuration for String {
    fn into_duration(self) -> Result<Duration, String> {
        self.as_str().into_duration()
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total.checked_add(Duration::from_millis(part))?;
        rest = tail.trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_with_units_and_nothing_else() {
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("1d 2s"), Some(Duration::from_secs(86_402)));
        for wrong in ["", "5", "h", "5 h", "-1s", "1.5h", "99999999999999999999d", "1y"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
