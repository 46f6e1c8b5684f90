//! Attribute arguments as keys and values, before anybody asks what they mean.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::LitStr;
use syn::parse::Parser;

use crate::diagnostics::{Diagnostics, list_in_words};
use crate::retry_args::RETRY_OPTIONS;
use crate::tokens::is_punct;

/// One option before its value is understood.
pub(crate) struct RawOption {
    pub(crate) key: Ident,
    pub(crate) value: RawValue,
}

pub(crate) enum RawValue {
    Flag,
    Assigned(TokenStream),
    List(Group),
}

impl RawOption {
    pub(crate) fn flag(&self) -> syn::Result<Ident> {
        match &self.value {
            RawValue::Flag => Ok(self.key.clone()),
            RawValue::Assigned(tokens) => {
                Err(self.misused(tokens, &format!("no value; write `{}`", self.key)))
            }
            RawValue::List(list) => Err(self.misused(list, &format!("no value; write `{}`", self.key))),
        }
    }

    pub(crate) fn string(&self, example: &str) -> syn::Result<LitStr> {
        self.assigned(&format!("a string, as in `{} = \"{example}\"`", self.key))
    }

    pub(crate) fn assigned<T: syn::parse::Parse>(&self, expected: &str) -> syn::Result<T> {
        self.assigned_by(T::parse, expected)
    }

    /// The value after `=`. Every misuse gets the same words, at the tokens that are wrong.
    pub(crate) fn assigned_by<T>(
        &self,
        parser: fn(syn::parse::ParseStream<'_>) -> syn::Result<T>,
        expected: &str,
    ) -> syn::Result<T> {
        match &self.value {
            RawValue::Assigned(tokens) if tokens.is_empty() => Err(self.misused(&self.key, expected)),
            RawValue::Assigned(tokens) => {
                parser.parse2(tokens.clone()).map_err(|_| self.misused(tokens, expected))
            }
            RawValue::List(list) => Err(self.misused(list, expected)),
            RawValue::Flag => Err(self.misused(&self.key, expected)),
        }
    }

    fn misused(&self, tokens: impl ToTokens, expected: &str) -> syn::Error {
        syn::Error::new_spanned(tokens, format!("`{}` takes {expected}", self.key))
    }
}

/// Splits at the commas, so that one broken option does not hide the others, and drops what is
/// unknown or written twice.
pub(crate) fn split_options(
    tokens: TokenStream,
    place: &str,
    known: &[&str],
    problems: &mut Diagnostics,
) -> Vec<RawOption> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut options: Vec<RawOption> = Vec::new();
    for chunk in tokens.split(|token| is_punct(std::slice::from_ref(token), 0, ',')) {
        if chunk.is_empty() {
            continue;
        }
        let Some(option) = problems.accept(split_option(chunk, place, known)) else { continue };
        if options.iter().any(|earlier| earlier.key == option.key) {
            problems.push(&option.key, format!("`{}` is given twice; keep one of them", option.key));
        } else {
            options.push(option);
        }
    }
    options
}

fn split_option(chunk: &[TokenTree], place: &str, known: &[&str]) -> syn::Result<RawOption> {
    let whole = || chunk.iter().cloned().collect::<TokenStream>();
    let known_options = || format!("{place} knows {}", list_in_words(known));
    let Some((TokenTree::Ident(key), rest)) = chunk.split_first() else {
        return Err(syn::Error::new_spanned(whole(), format!("this is not an option; {}", known_options())));
    };
    if !known.iter().any(|name| key == name) {
        let message = if place != "`retry`" && RETRY_OPTIONS.iter().any(|name| key == name) {
            format!("`{key}` belongs to the retry policy; write `retry({key} = ..)`")
        } else {
            format!("unknown option `{key}`; {}", known_options())
        };
        return Err(syn::Error::new_spanned(key, message));
    }
    let value = match rest {
        [] => RawValue::Flag,
        [TokenTree::Punct(equals), value @ ..] if equals.as_char() == '=' => {
            RawValue::Assigned(value.iter().cloned().collect())
        }
        [TokenTree::Group(list)] if list.delimiter() == Delimiter::Parenthesis => {
            RawValue::List(list.clone())
        }
        _ => {
            let rest: TokenStream = rest.iter().cloned().collect();
            return Err(syn::Error::new_spanned(
                rest,
                format!("a comma or `=` has to follow `{key}`; {}", known_options()),
            ));
        }
    };
    Ok(RawOption { key: key.clone(), value })
}
