//! `#[durable_execution]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Block;

use crate::awaits::{Scope, rewrite};
use crate::expand::function::{expand_callee, expand_codec, expand_pair, with_prelude};
use crate::graph::expand_graph;
use crate::model::Model;

/// `scope` is foreign when another attribute has wrapped the body already, which was reported.
pub(crate) fn expand_execution(model: &Model, block: Option<&Block>, scope: Scope) -> TokenStream {
    let private = &model.private;
    let codec = expand_codec(model);
    let callee = expand_callee(model);
    let values = model.arguments.iter().map(|argument| &argument.value);
    let construct = quote! {
        #private::Execution::new(#private::body(__DurableMeta, #codec, #callee(#(#values),*)))
    };
    let prelude = quote! {
        #[allow(unused_imports)] // an execution may have nothing to await yet
        use #private::DurableAwait as _;
    };
    let body = &model.function.body;
    let rewritten = rewrite(body.stream(), scope, private);
    let graph = block.map_or_else(|| quote!(&[]), |block| expand_graph(block, private));
    let body = with_prelude(body, &prelude, rewritten);
    expand_pair(model, "Execution", "ExecutionBody", &graph, body, &construct)
}
