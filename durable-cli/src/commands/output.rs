//! What the commands print: JSON documents, tables, amounts of time.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use durable_runtime::protocol::Timestamp;
use serde::Serialize;

pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)
}

/// One line of a stream of JSON documents.
pub(super) fn print_json_line(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)
}

pub(super) fn print_line(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Columns as wide as their widest cell.
pub(super) fn print_table(rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = io::stdout().lock();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// `950ms`, `12.3s`, `4m05s`, `2h03m`, `3d04h`.
pub(super) fn amount(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A moment on the clock, with its day.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.to_string().replace('T', " ").replace('Z', " UTC")
}

/// At most `limit` characters of one line.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.chars().count() <= limit {
        return line;
    }
    line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_time_are_short() {
        let cases = [
            (950, "950ms"),
            (12_340, "12.3s"),
            (245_000, "4m05s"),
            (7_380_000, "2h03m"),
            (273_600_000, "3d04h"),
        ];
        for (millis, text) in cases {
            assert_eq!(amount(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn long_texts_are_cut_and_stay_on_one_line() {
        assert_eq!(shortened("a\nb", 5), "a b");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
