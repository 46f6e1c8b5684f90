//! `saga!("name", { .. })`: a block whose steps are undone together.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::args::check_name;
use crate::model::private_path;
use crate::tokens::is_punct;

const USAGE: &str = "write `saga!({ .. })` or `saga!(\"name\", { .. })`";

/// The name of a saga that has none.
const DEFAULT_NAME: &str = "saga";

pub(crate) fn expand_saga(input: TokenStream) -> TokenStream {
    match split(input) {
        Ok((name, body)) => {
            let private = private_path(None);
            let name = name.map_or_else(|| quote!(#DEFAULT_NAME), |name| quote!(#name));
            let block = quote_spanned!(body.span()=> async #body);
            quote!(#private::block(#block).named(#name))
        }
        Err(error) => error.to_compile_error(),
    }
}

/// The name, if there is one, and the block.
fn split(input: TokenStream) -> syn::Result<(Option<LitStr>, Group)> {
    let whole = input.clone();
    let mut tokens: Vec<TokenTree> = input.into_iter().collect();
    if is_punct(&tokens, tokens.len().wrapping_sub(1), ',') {
        tokens.pop();
    }
    let is_block =
        |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let name = match tokens.as_slice() {
        [block] if is_block(block) => None,
        [name, comma, block] if is_block(block) && is_punct(std::slice::from_ref(comma), 0, ',') => {
            Some(check_name(syn::parse2(name.clone().into())?)?)
        }
        _ => {
            let message = format!("a saga is a block of durable code; {USAGE}");
            return Err(syn::Error::new_spanned(whole, message));
        }
    };
    match tokens.pop() {
        Some(TokenTree::Group(body)) => Ok((name, body)),
        _ => Err(syn::Error::new_spanned(whole, USAGE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_name_and_a_block() {
        for tokens in [quote!({}), quote!({},), quote!("a", {}), quote!("a", {},)] {
            assert!(split(tokens.clone()).is_ok(), "{tokens}");
        }
        let named = split(quote!("pair", { 1 })).map(|(name, _)| name.map(|name| name.value()));
        assert_eq!(named.ok().flatten().as_deref(), Some("pair"));
    }

    #[test]
    fn says_how_it_is_written() {
        for tokens in [quote!(), quote!("a"), quote!({} {}), quote!("a" {}), quote!(async {})] {
            let Err(error) = split(tokens.clone()) else { panic!("{tokens} is no saga") };
            assert!(error.to_string().contains(USAGE), "{tokens}: {error}");
        }
    }
}
