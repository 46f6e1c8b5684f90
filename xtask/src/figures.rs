//! Figures as the benches print them, one JSON object a line.

use serde::Deserialize;

/// One measured figure.
#[derive(Debug, Deserialize)]
pub(crate) struct Figure {
    /// What was measured.
    name: String,
    measured: f64,
    unit: String,
    /// The largest value that is good enough; absent for figures that only inform.
    limit: Option<f64>,
}

impl Figure {
    /// The figure of a bench's output line, if the line is one.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// False when the measured value is above the limit; true without a limit.
    pub(crate) fn is_ok(&self) -> bool {
        self.limit.is_none_or(|limit| self.measured <= limit)
    }

    fn cells(&self) -> [String; 4] {
        let quantity = |value: f64| format!("{} {}", number(value), self.unit).trim_end().to_owned();
        let required = self.limit.map_or_else(String::new, |limit| format!("≤ {}", quantity(limit)));
        let verdict = match self.limit {
            None => "",
            Some(_) if self.is_ok() => "yes",
            Some(_) => "NO",
        };
        [self.name.clone(), quantity(self.measured), required, verdict.to_owned()]
    }
}

/// Three significant digits, and thousands apart.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |parts| parts);
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.trim_end_matches('0') {
        "" => grouped,
        fraction => format!("{grouped}.{fraction}"),
    }
}

/// A Markdown table, readable as plain text too.
pub(crate) fn table(figures: &[Figure]) -> String {
    let header = ["figure", "measured", "required", "ok"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(header).chain(figures.iter().map(Figure::cells)).collect();
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for (position, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        table += &format!("| {} |\n", cells.join(" | "));
        if position == 0 {
            let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            table += &format!("| {} |\n", rule.join(" | "));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 3] = [
        r#"{"name":"replay","measured":11.04,"unit":"ms","limit":12.0}"#,
        r#"{"name":"steps a second","measured":12345.6,"unit":""}"#,
        r#"{"name":"growth","measured":61.0,"unit":"MB","limit":50.0}"#,
    ];

    #[test]
    fn figures_become_a_table_with_a_verdict() {
        let figures: Vec<_> = LINES.iter().filter_map(|line| Figure::parse(line)).collect();
        let table = table(&figures);
        assert_eq!(
            table.lines().collect::<Vec<_>>(),
            [
                "| figure         | measured | required | ok  |",
                "| -------------- | -------- | -------- | --- |",
                "| replay         | 11 ms    | ≤ 12 ms  | yes |",
                "| steps a second | 12,346   |          |     |",
                "| growth         | 61 MB    | ≤ 50 MB  | NO  |",
            ]
        );
    }

    #[test]
    fn numbers_have_three_digits_that_mean_something() {
        assert_eq!(
            [0.0251, 1.254, 11.04, 250.4, 1_234_567.0].map(number),
            ["0.025", "1.25", "11", "250", "1,234,567"]
        );
    }

    #[test]
    fn other_lines_are_not_figures() {
        assert!(Figure::parse("running 3 tests").is_none());
        assert!(Figure::parse("{}").is_none());
    }
}
