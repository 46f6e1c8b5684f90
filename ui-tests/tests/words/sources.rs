//! The string literals of our sources.

use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::read;

/// A string literal outside of tests, and what it is an argument of.
pub(crate) struct Text {
    pub(crate) value: String,
    /// The two identifiers before the parenthesis around it, as in `ErrorObject::new`.
    pub(crate) callee: String,
    /// Whether it stands in `#[diagnostic::on_unimplemented(message = "..")]`.
    pub(crate) is_trait_message: bool,
}

/// The literals of a file that a user may read one day: those of documentation, tests and invariants are left out.
pub(crate) fn texts(path: &Path) -> Vec<Text> {
    let mut texts = Vec::new();
    collect(tokens_of(path), "", &mut texts);
    texts
}

/// The names in the `use` items of a file.
pub(crate) fn imports(path: &Path) -> Vec<String> {
    fn visit(tokens: TokenStream, found: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => found.push(ident.to_string()),
                TokenTree::Group(group) => visit(group.stream(), found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    let mut imports = false;
    for token in tokens_of(path) {
        match &token {
            TokenTree::Ident(ident) if ident == "use" => imports = true,
            TokenTree::Punct(punct) if punct.as_char() == ';' => imports = false,
            _ if imports => visit(token.into(), &mut found),
            _ => {}
        }
    }
    found
}

fn tokens_of(path: &Path) -> TokenStream {
    read(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(tokens: TokenStream, callee: &str, texts: &mut Vec<Text>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let before = |distance: usize| index.checked_sub(distance).and_then(|at| tokens.get(at));
        let ident = |distance: usize| match before(distance) {
            Some(TokenTree::Ident(ident)) => ident.to_string(),
            _ => String::new(),
        };
        match token {
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    let callee = callee.to_owned();
                    texts.push(Text { value: text.value(), callee, is_trait_message: false });
                }
            }
            TokenTree::Group(group) => {
                let is_attribute = group.delimiter() == Delimiter::Bracket
                    && [1, 2].iter().any(|back| {
                        matches!(before(*back), Some(TokenTree::Punct(punct)) if punct.as_char() == '#')
                    });
                if is_attribute {
                    texts.extend(trait_message(group.stream()));
                } else if ident(1) == "tests" && ident(2) == "mod" || ident(1) == "expect" {
                    // A test, or the words of an invariant.
                } else {
                    let callee = match before(2) {
                        Some(TokenTree::Punct(_)) => format!("{}::{}", ident(4), ident(1)),
                        _ => ident(1),
                    };
                    collect(group.stream(), &callee, texts);
                }
            }
            _ => {}
        }
    }
}

/// `diagnostic::on_unimplemented(message = "..", ..)`
fn trait_message(attribute: TokenStream) -> Option<Text> {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    let is_ours =
        tokens.iter().any(|token| matches!(token, TokenTree::Ident(name) if name == "on_unimplemented"));
    let Some(TokenTree::Group(arguments)) = tokens.last() else { return None };
    let mut arguments = arguments.stream().into_iter();
    arguments.find(|token| matches!(token, TokenTree::Ident(name) if name == "message"))?;
    let text = syn::parse_str::<syn::LitStr>(&arguments.nth(1)?.to_string()).ok()?;
    is_ours.then(|| Text { value: text.value(), callee: String::new(), is_trait_message: true })
}

/// The parts of a format string between its placeholders.
pub(crate) fn pieces(format: &str) -> Vec<String> {
    let escaped = format.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut pieces = vec![String::new()];
    let mut inside = false;
    for character in escaped.chars() {
        match character {
            '{' => {
                inside = true;
                pieces.push(String::new());
            }
            '}' => inside = false,
            _ if inside => {}
            '\u{1}' => pieces.last_mut().expect("there is a piece").push('{'),
            '\u{2}' => pieces.last_mut().expect("there is a piece").push('}'),
            other => pieces.last_mut().expect("there is a piece").push(other),
        }
    }
    pieces.into_iter().map(|piece| piece.trim().to_owned()).collect()
}
