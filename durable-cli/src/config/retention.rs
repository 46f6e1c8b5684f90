//! How long executions are kept after their end.

use std::{fmt, str::FromStr, time::Duration};

use durable_runtime::IntoDuration as _;
use serde::{Deserialize, Deserializer, de::Error as _};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long executions are kept after their end, with their histories and logs. Default: 14 days, as on AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// For good.
    Forever,
    /// For this long.
    For(Duration),
}

impl Default for Retention {
    fn default() -> Self {
        Self::For(14 * DAY)
    }
}

impl Retention {
    /// The service's form of it, a number of days, if it has one.
    pub(crate) fn in_days(self) -> Option<u64> {
        match self {
            Self::For(time) if time.as_secs().is_multiple_of(DAY.as_secs()) && time.subsec_nanos() == 0 => {
                Some(time.as_secs() / DAY.as_secs()).filter(|days| (1..=90).contains(days))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::For(time) => write!(f, "{time:?}"),
        }
    }
}

/// Why a text is no retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a retention is a duration such as 14d or 12h, or `forever`")]
pub struct NoRetention;

impl FromStr for Retention {
    type Err = NoRetention;

    fn from_str(text: &str) -> Result<Self, NoRetention> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let time = text.into_duration().map_err(|_| NoRetention)?;
        if time.is_zero() { Err(NoRetention) } else { Ok(Self::For(time)) }
    }
}

impl<'de> Deserialize<'de> for Retention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_forever_are_read_and_nothing_else() {
        assert_eq!("14d".parse(), Ok(Retention::default()));
        assert_eq!("forever".parse(), Ok(Retention::Forever));
        assert_eq!("90m".parse(), Ok(Retention::For(Duration::from_secs(5400))));
        for text in ["", "0s", "-1d", "always"] {
            assert_eq!(text.parse::<Retention>(), Err(NoRetention), "{text}");
        }
    }

    #[test]
    fn only_what_aws_could_have_is_said_in_days() {
        assert_eq!(Retention::default().in_days(), Some(14));
        for other in [Retention::Forever, Retention::For(DAY / 2), Retention::For(91 * DAY)] {
            assert_eq!(other.in_days(), None, "{other}");
        }
    }
}
