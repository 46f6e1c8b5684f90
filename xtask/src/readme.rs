//! Blocks of the README that are written by a program.

use std::fs;

use anyhow::{Context as _, Result};

use crate::command::root;

/// Replaces what stands between `<!-- name:begin -->` and `<!-- name:end -->`.
pub(crate) fn replace_block(name: &str, content: &str) -> Result<()> {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let replaced = replaced(&text, name, content).with_context(|| {
        format!("{} has no `<!-- {name}:begin -->` … `<!-- {name}:end -->`", path.display())
    })?;
    fs::write(&path, replaced).with_context(|| format!("{} cannot be written", path.display()))
}

fn replaced(text: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{content}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_block_changes() {
        let text = "a\n<!-- figures:begin -->\nold\n<!-- figures:end -->\nb\n";
        let new = replaced(text, "figures", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- figures:begin -->\n\nnew\n\n<!-- figures:end -->\nb\n");
        assert_eq!(replaced(&new, "figures", "new\n").unwrap(), new);
    }

    #[test]
    fn a_missing_marker_is_noticed() {
        assert_eq!(replaced("<!-- figures:begin -->", "figures", "new"), None);
    }
}
