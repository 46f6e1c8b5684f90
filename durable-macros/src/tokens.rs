//! Looking at a slice of tokens without indexing, and the regions that no pass of ours enters.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

pub(crate) fn ident_at(tokens: &[TokenTree], at: usize) -> Option<&Ident> {
    match tokens.get(at) {
        Some(TokenTree::Ident(ident)) => Some(ident),
        _ => None,
    }
}

pub(crate) fn is_ident(tokens: &[TokenTree], at: usize, text: &str) -> bool {
    ident_at(tokens, at).is_some_and(|ident| ident == text)
}

pub(crate) fn is_punct(tokens: &[TokenTree], at: usize, character: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

pub(crate) fn group_at(tokens: &[TokenTree], at: usize) -> Option<&Group> {
    match tokens.get(at) {
        Some(TokenTree::Group(group)) => Some(group),
        _ => None,
    }
}

pub(crate) fn is_brace(tokens: &[TokenTree], at: usize) -> bool {
    group_at(tokens, at).is_some_and(|group| group.delimiter() == Delimiter::Brace)
}

/// A path of plain segments, `a::b::c`. A turbofish ends it.
pub(crate) struct PathAt<'a> {
    pub(crate) segments: Vec<&'a Ident>,
    /// How many tokens it takes.
    pub(crate) len: usize,
}

/// The path that starts at this identifier; `None` for the name of a method or a field.
pub(crate) fn path_at(tokens: &[TokenTree], at: usize) -> Option<PathAt<'_>> {
    let mut segments = vec![ident_at(tokens, at)?];
    let follows_dot = at.checked_sub(1).is_some_and(|before| is_punct(tokens, before, '.'));
    let in_range = at.checked_sub(2).is_some_and(|before| is_punct(tokens, before, '.'));
    if follows_dot && !in_range {
        return None;
    }
    let mut len = 1;
    while is_punct(tokens, at + len, ':')
        && is_punct(tokens, at + len + 1, ':')
        && let Some(segment) = ident_at(tokens, at + len + 2)
    {
        segments.push(segment);
        len += 3;
    }
    Some(PathAt { segments, len })
}

/// A macro call, `path! { .. }`.
pub(crate) struct MacroAt<'a> {
    pub(crate) path: PathAt<'a>,
    pub(crate) name: &'a Ident,
    pub(crate) arguments: &'a Group,
}

pub(crate) fn macro_at(tokens: &[TokenTree], at: usize) -> Option<MacroAt<'_>> {
    let path = path_at(tokens, at)?;
    if !is_punct(tokens, at + path.len, '!') {
        return None;
    }
    let arguments = group_at(tokens, at + path.len + 1)?;
    let name = path.segments.last().copied()?;
    Some(MacroAt { path, name, arguments })
}

/// The number of tokens that start here and that belong to somebody else: nested functions, which
/// have a colour of their own, macro definitions, imports, attributes, and what `step!` and
/// `nondeterministic!` exempt.
pub(crate) fn foreign_region_at(tokens: &[TokenTree], at: usize) -> Option<usize> {
    if is_punct(tokens, at, '#') && group_at(tokens, at + 1).is_some_and(is_bracket) {
        return Some(2);
    }
    let ident = ident_at(tokens, at)?;
    if ident == "fn" && ident_at(tokens, at + 1).is_some() {
        return Some(item_len(tokens, at));
    }
    if ident == "use" {
        return Some(item_len(tokens, at));
    }
    if ident == "macro_rules" && is_punct(tokens, at + 1, '!') {
        return Some(4);
    }
    let call = macro_at(tokens, at)?;
    (call.name == "step" || call.name == "nondeterministic").then_some(call.path.len + 2)
}

/// The length of an item that ends with its braces or with a semicolon.
pub(crate) fn item_len(tokens: &[TokenTree], at: usize) -> usize {
    let mut end = at;
    while end < tokens.len() {
        let is_const_argument =
            is_brace(tokens, end) && (is_punct(tokens, end + 1, '>') || is_punct(tokens, end + 1, ','));
        end += 1;
        if is_punct(tokens, end - 1, ';') || (is_brace(tokens, end - 1) && !is_const_argument) {
            // An import ends with its semicolon, also after braces.
            return end - at + usize::from(is_ident(tokens, at, "use") && is_punct(tokens, end, ';'));
        }
    }
    end - at
}

fn is_bracket(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket
}

/// The tokens with their own hygiene at another place.
pub(crate) fn located_at(tokens: &TokenStream, place: Span) -> TokenStream {
    tokens
        .clone()
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().located_at(place));
            token
        })
        .collect()
}
