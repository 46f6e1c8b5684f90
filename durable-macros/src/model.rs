//! What was written and what follows from it. Code generation only prints what is decided here.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, GenericParam, Pat, Path, ReturnType, Signature};

use crate::args::{CommonArgs, name_problem};
use crate::check::mutable_reference;
use crate::diagnostics::Diagnostics;
use crate::function::Function;
use crate::tokens::{is_brace, is_ident, is_punct, item_len};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Step,
    Execution,
}

impl Kind {
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Execution => "execution",
        }
    }
}

/// Where the user's own function goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Nested in the function that we emit: nothing of it is visible outside.
    Nested,
    /// Beside it in the `impl` block, because a nested item can't name `self` or `Self`.
    Sibling,
}

/// A step or an execution, ready to be expanded.
pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) place: Place,
    /// Path of the runtime's `__private`.
    pub(crate) private: TokenStream,
    /// The recorded name: the function's own, or `name = ".."`.
    pub(crate) recorded_name: String,
    pub(crate) serdes: Option<syn::Type>,
    /// What an execution declares, else 1.
    pub(crate) version: u32,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) attributes: SplitAttributes,
    /// An argument is `&mut`, which was reported; one attempt is all that such a step could make.
    pub(crate) has_mutable_reference: bool,
}

/// An argument as the emitted function takes it.
pub(crate) struct Argument {
    /// Declaration in the emitted function, without `mut` and without a pattern.
    pub(crate) declaration: TokenStream,
    /// The value, named in the emitted function.
    pub(crate) value: TokenStream,
}

impl Model {
    pub(crate) fn new(mut function: Function, args: CommonArgs, problems: &mut Diagnostics) -> Self {
        let place = place_of(&function);
        let recorded_name = match args.name {
            Some(name) => name.value(),
            None => own_name(&function.signature, problems),
        };
        let attributes = SplitAttributes::new(std::mem::take(&mut function.attributes));
        let arguments = function.signature.inputs.iter().enumerate().map(Argument::new).collect();
        let has_mutable_reference =
            function.signature.inputs.iter().any(|input| mutable_reference(input).is_some());
        Self {
            place,
            private: private_path(args.runtime.as_ref()),
            recorded_name,
            serdes: args.serdes,
            version: args.version.unwrap_or(1),
            arguments,
            attributes,
            has_mutable_reference,
            function,
        }
    }

    pub(crate) fn body_name(&self) -> Ident {
        // Must differ from the user's name: a recursive call has to reach the durable function.
        format_ident!("__durable_body_{}", self.function.signature.ident.unraw(), span = Span::call_site())
    }

    /// The type that the user's function returns.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.function.signature.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    /// `::<T, N>`: what the arguments alone might not determine.
    pub(crate) fn turbofish(&self) -> Option<TokenStream> {
        let parameters: Vec<&Ident> = self
            .function
            .signature
            .generics
            .params
            .iter()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(ty) => Some(&ty.ident),
                GenericParam::Const(constant) => Some(&constant.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        (!parameters.is_empty()).then(|| quote!(::<#(#parameters),*>))
    }
}

impl Argument {
    pub(crate) fn starts_with_underscore(&self) -> bool {
        let name = self.value.to_string();
        name.starts_with('_') && !name.starts_with("__")
    }

    fn new((index, input): (usize, &FnArg)) -> Self {
        match input {
            FnArg::Receiver(receiver) => {
                let mut declared = receiver.clone();
                declared.mutability = None;
                let value = &receiver.self_token;
                Self { declaration: quote!(#declared), value: quote!(#value) }
            }
            FnArg::Typed(typed) => {
                let (attributes, ty) = (&typed.attrs, &typed.ty);
                let name = match &*typed.pat {
                    Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
                    _ => format_ident!("__a{index}"),
                };
                Self { declaration: quote!(#(#attributes)* #name: #ty), value: quote!(#name) }
            }
        }
    }
}

fn own_name(signature: &Signature, problems: &mut Diagnostics) -> String {
    let name = signature.ident.unraw().to_string();
    if let Some(problem) = name_problem(&name) {
        problems.push(&signature.ident, format!("{problem}, or give one with `name = \"..\"`"));
    }
    name
}

fn place_of(function: &Function) -> Place {
    let has_receiver = matches!(function.signature.inputs.first(), Some(FnArg::Receiver(_)));
    let names_self =
        || mentions_self(function.signature.to_token_stream()) || mentions_self(function.body.stream());
    if has_receiver || names_self() { Place::Sibling } else { Place::Nested }
}

/// Whether `Self` occurs outside of items that have a `Self` of their own.
fn mentions_self(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => return true,
            TokenTree::Ident(_) if starts_self_item(&tokens, at) => {
                at += item_len(&tokens, at);
                continue;
            }
            TokenTree::Group(group) if mentions_self(group.stream()) => return true,
            _ => {}
        }
        at += 1;
    }
    false
}

fn starts_self_item(tokens: &[TokenTree], at: usize) -> bool {
    let is_item = ["impl", "trait", "struct", "enum", "union"].iter().any(|word| is_ident(tokens, at, word));
    let is_statement = match at.checked_sub(1) {
        None => true,
        Some(before) => {
            is_punct(tokens, before, ';')
                || is_brace(tokens, before)
                || is_ident(tokens, before, "pub")
                || is_ident(tokens, before, "unsafe")
                // after an attribute
                || before.checked_sub(1).is_some_and(|hash| is_punct(tokens, hash, '#'))
        }
    };
    is_item && is_statement
}

/// `crate = path`, else the name under which this package depends on the runtime.
pub(crate) fn private_path(given: Option<&Path>) -> TokenStream {
    if let Some(path) = given {
        return quote!(#path::__private);
    }
    match crate_name("durable-runtime") {
        Ok(FoundCrate::Name(name)) => {
            let name = Ident::new(&name, Span::call_site());
            quote!(::#name::__private)
        }
        // The runtime's own tests see it under its own name as well.
        Ok(FoundCrate::Itself) | Err(_) => quote!(::durable_runtime::__private),
    }
}

/// The user's attributes, by the function that they go to.
#[derive(Default)]
pub(crate) struct SplitAttributes {
    /// On the function that callers see.
    pub(crate) outer: Vec<TokenStream>,
    /// On the function that holds the user's body.
    pub(crate) inner: Vec<TokenStream>,
    /// On whichever function stands beside the outer one, so that both are there or none.
    pub(crate) conditions: Vec<TokenStream>,
}

impl SplitAttributes {
    fn new(attributes: Vec<Attribute>) -> Self {
        let mut split = Self::default();
        for attribute in attributes {
            let tokens = attribute.to_token_stream();
            let name = attribute.path().get_ident().map(ToString::to_string).unwrap_or_default();
            match name.as_str() {
                "cfg" => {
                    split.outer.push(tokens.clone());
                    split.conditions.push(tokens);
                }
                "doc" | "deprecated" | "must_use" => split.outer.push(tokens),
                "allow" | "warn" | "deny" | "forbid" => {
                    split.outer.push(tokens.clone());
                    split.inner.push(tokens);
                }
                "expect" => {
                    // Expected of the body; on the outer function it could stay unfulfilled.
                    if let syn::Meta::List(list) = &attribute.meta {
                        let lints = &list.tokens;
                        split.outer.push(quote!(#[allow(#lints)]));
                    }
                    split.inner.push(tokens);
                }
                _ => split.inner.push(tokens),
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(source: &str) -> Place {
        place_of(&syn::parse_str(source).expect("test source is a function"))
    }

    #[test]
    fn what_names_self_stands_beside() {
        assert_eq!(place("async fn f(&self) {}"), Place::Sibling);
        assert_eq!(place("async fn f() -> Self { g() }"), Place::Sibling);
        assert_eq!(place("async fn f() { vec![Self::g()] }"), Place::Sibling);
        assert_eq!(place("async fn f(x: impl Fn(u32)) { g() }"), Place::Nested);
        assert_eq!(
            place("async fn f() { struct X; #[a] impl X { fn new() -> Self { X } } g() }"),
            Place::Nested
        );
    }
}
