//! The parts that steps and executions share: two functions out of one.

use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{ReturnType, Safety, Signature};

use crate::model::{Argument, Model, Place};
use crate::tokens::{group_at, is_punct, located_at};

/// Assembles what is emitted: the function that callers see, with the user's own inside or beside it.
pub(super) fn expand_pair(
    model: &Model,
    operation: &str,
    body_trait: &str,
    graph: &TokenStream,
    body: Group,
    construct: &TokenStream,
) -> TokenStream {
    let private = &model.private;
    let visibility = &model.function.visibility;
    let outer_attributes = &model.attributes.outer;
    let outer = outer_signature(model, operation, body_trait);
    let meta = expand_meta(model, graph);
    let inner = expand_inner(model, body);
    let (nested, beside) = match model.place {
        Place::Nested => (Some(inner), None),
        Place::Sibling => {
            let conditions = &model.attributes.conditions;
            (None, Some(quote!(#(#conditions)* #[doc(hidden)] #inner)))
        }
    };
    // `_order` is unused in the body, but has to be passed to it.
    let allow = model
        .arguments
        .iter()
        .any(Argument::starts_with_underscore)
        .then(|| quote!(#[allow(clippy::used_underscore_binding)]));
    let statements = quote! {
        #[allow(unused_imports)] // only one of the two applies to a given output
        use #private::{ProbeFallible as _, ProbeInfallible as _};
        #meta
        #nested
        #construct
    };
    quote! {
        #(#outer_attributes)*
        #allow
        #visibility #outer { #statements }
        #beside
    }
}

/// The user's function under a private name, its signature untouched: `?`, lifetimes, patterns and
/// `impl Trait` arguments behave natively, and so do the errors about them.
fn expand_inner(model: &Model, body: Group) -> TokenStream {
    let mut signature = model.function.signature.clone();
    signature.ident = model.body_name();
    // Emitted as if it had been written where that was what was missing; reported in `check.rs`.
    signature.asyncness.get_or_insert_default();
    signature.constness = None;
    signature.safety = Safety::Default;
    signature.abi = None;
    let attributes = &model.attributes.inner;
    quote! {
        #(#attributes)*
        #[allow(clippy::unused_async)] // a step or an execution may have nothing to await yet
        #signature #body
    }
}

fn outer_signature(model: &Model, operation: &str, body_trait: &str) -> TokenStream {
    let written = &model.function.signature;
    let Signature { ident, generics, .. } = written;
    let (fn_token, clause) = (&written.fn_token, &generics.where_clause);
    let declarations = model.arguments.iter().map(|argument| &argument.declaration);
    let output = model.output();
    let private = &model.private;
    let operation = syn::Ident::new(operation, Span::call_site());
    let body_trait = syn::Ident::new(body_trait, Span::call_site());
    // `impl` has to be of this crate's edition, which captures every lifetime. Errors about the bounds are
    // placed from the first token of this type to its last: let that be the output type that the user wrote.
    let (first, last) = output_spans(written);
    let open = located_at(&quote!(#private::#operation<impl #private::#body_trait<Output =), first);
    let close = located_at(&quote!(>>), last);
    quote! {
        #fn_token #ident #generics (#(#declarations),*) -> #open #output #close #clause
    }
}

/// Where the output type starts and where its last token stands, with this crate's hygiene.
fn output_spans(signature: &Signature) -> (Span, Span) {
    let here = Span::call_site();
    let ReturnType::Type(_, ty) = &signature.output else {
        let name = here.located_at(signature.ident.span());
        return (name, name);
    };
    let last = ty.to_token_stream().into_iter().last();
    let last = last.as_ref().map_or_else(|| ty.span(), last_span);
    (here.located_at(ty.span()), here.located_at(last))
}

fn last_span(token: &TokenTree) -> Span {
    match token {
        TokenTree::Group(group) => group.span_close(),
        token => token.span(),
    }
}

/// What the operation is called and where it was written.
fn expand_meta(model: &Model, graph: &TokenStream) -> TokenStream {
    let private = &model.private;
    let name = &model.recorded_name;
    let version = Literal::u32_unsuffixed(model.version);
    quote! {
        struct __DurableMeta;
        impl #private::HasMeta for __DurableMeta {
            const META: &'static #private::Meta =
                &#private::Meta {
                    name: #name, file: ::core::file!(), line: ::core::line!(), version: #version, graph: #graph,
                };
        }
    }
}

/// The codec for the output, chosen by the type itself: aliases of `Result` are fallible, too.
pub(super) fn expand_codec(model: &Model) -> TokenStream {
    let private = &model.private;
    let output = model.output();
    let probe = quote!((&&#private::Probe::<#output>(::core::marker::PhantomData)).codec());
    with_serdes(&probe, model.serdes.as_ref())
}

pub(crate) fn with_serdes(codec: &TokenStream, serdes: Option<&syn::Type>) -> TokenStream {
    match serdes {
        None => codec.clone(),
        Some(serdes) => quote!(#codec.with::<#serdes>()),
    }
}

/// The path by which the emitted function calls the user's own.
pub(super) fn expand_callee(model: &Model) -> TokenStream {
    let name = model.body_name();
    let turbofish = model.turbofish();
    match model.place {
        Place::Nested => quote!(#name #turbofish),
        Place::Sibling => quote!(Self::#name #turbofish),
    }
}

/// The body's tokens behind an import that they need. Inner attributes have to stay in front.
pub(super) fn with_prelude(body: &Group, prelude: &TokenStream, tokens: TokenStream) -> Group {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut start = 0;
    while is_punct(&tokens, start, '#')
        && is_punct(&tokens, start + 1, '!')
        && group_at(&tokens, start + 2).is_some()
    {
        start += 3;
    }
    let (inner_attributes, statements) = tokens.split_at(start.min(tokens.len()));
    let mut group = Group::new(
        body.delimiter(),
        inner_attributes.iter().cloned().chain(prelude.clone()).chain(statements.iter().cloned()).collect(),
    );
    group.set_span(body.span());
    group
}
