//! Two texts, line by line.

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

enum Line<'a> {
    Same(&'a str),
    Before(&'a str),
    After(&'a str),
}

/// What became of `before`: `- ` stands in front of lines that are gone, `+ ` of new ones; what is far from any change
/// is left out.
pub(crate) fn diff(before: &str, after: &str) -> String {
    let lines = lines(before, after);
    let changed: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !matches!(line, Line::Same(_)))
        .map(|(index, _)| index)
        .collect();
    let mut text = String::new();
    let mut left_out = false;
    for (index, line) in lines.iter().enumerate() {
        if changed.iter().all(|change| change.abs_diff(index) > CONTEXT) {
            if !left_out {
                text += "  ..\n";
            }
            left_out = true;
            continue;
        }
        left_out = false;
        let (mark, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Before(line) => ('-', line),
            Line::After(line) => ('+', line),
        };
        text += &format!("{mark} {line}\n");
    }
    text
}

/// By the longest common subsequence, which is small enough for texts that people review.
fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    // common[i][j]: how long the subsequence of before[i..] and after[j..] is.
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    let at = |common: &[Vec<usize>], i: usize, j: usize| {
        common.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0)
    };
    for (i, old) in before.iter().enumerate().rev() {
        for (j, new) in after.iter().enumerate().rev() {
            let length = if old == new {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (before.get(i), after.get(j)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(Line::Same(old));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push(Line::Before(old));
                i += 1;
            }
            (_, Some(new)) => {
                lines.push(Line::After(new));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_marked_in_their_place() {
        assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "  a\n- b\n+ x\n  c\n+ d\n");
        assert_eq!(diff("", "a\n"), "+ a\n");
        assert_eq!(diff("a\n", ""), "- a\n");
    }

    #[test]
    fn what_is_far_from_a_change_is_left_out() {
        let before: String = (0..20).map(|line| format!("{line}\n")).collect();
        let after = before.replace("10\n", "ten\n");
        assert_eq!(diff(&before, &after), "  ..\n  7\n  8\n  9\n- 10\n+ ten\n  11\n  12\n  13\n  ..\n");
    }
}
