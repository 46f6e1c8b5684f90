//! Collects every problem of one macro call, so that all of them are reported at once.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The problems found so far. An error cannot be recorded without the tokens it is about.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<syn::Error>,
}

impl Diagnostics {
    /// Records a problem; the caret covers `tokens` from the first to the last.
    pub(crate) fn push(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.errors.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records a problem that `syn` or a parser of ours found.
    pub(crate) fn push_error(&mut self, error: syn::Error) {
        self.errors.extend(error);
    }

    /// The value, or `None` with the error recorded.
    pub(crate) fn accept<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.push_error(error);
                None
            }
        }
    }

    /// One `compile_error!` for each problem; they are valid wherever an item is.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.errors.iter().map(syn::Error::to_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.errors.iter().map(ToString::to_string).collect()
    }
}

/// "`a`, `b` and `c`", for messages that list what is known.
pub(crate) fn list_in_words(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
