//! The annotated item: its signature by `syn`, its body as it was written.

use proc_macro2::{Delimiter, Group, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Visibility};

/// A function whose body nobody has parsed, so that a half-typed one still has a signature.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature: Signature = input.parse()?;
        let body: Group = input.parse().map_err(|_| {
            let message = format!(
                "`{}` has no body, so there is nothing to run; put the attribute on a function that has one",
                signature.ident
            );
            syn::Error::new_spanned(&signature.ident, message)
        })?;
        if body.delimiter() != Delimiter::Brace || !input.is_empty() {
            return Err(syn::Error::new_spanned(&signature.ident, "expected a function with a body"));
        }
        Ok(Self { attributes, visibility, signature, body })
    }
}

/// Parses the item under `attribute`; anything but a function gets our words instead of the parser's.
pub(crate) fn parse_function(item: TokenStream, attribute: &str) -> syn::Result<Function> {
    if !contains_fn(&item) {
        let first: TokenStream = item.into_iter().take(1).collect();
        let message = format!("`#[{attribute}]` works on functions only; put it on an `async fn`");
        return Err(syn::Error::new_spanned(first, message));
    }
    syn::parse2(item)
}

fn contains_fn(item: &TokenStream) -> bool {
    item.clone()
        .into_iter()
        .any(|token| matches!(token, proc_macro2::TokenTree::Ident(ident) if ident == "fn"))
}
