//! `#[durable_step]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned as _;

use crate::args::StepArgs;
use crate::expand::expand_step_options;
use crate::expand::function::{expand_callee, expand_codec, expand_pair};
use crate::model::Model;
use crate::retry_args::Retry;
use crate::tokens::located_at;

pub(crate) fn expand_step(model: &Model, args: &StepArgs) -> TokenStream {
    let private = &model.private;
    let options = expand_step_options(args, private);
    let codec = expand_codec(model);
    let callee = expand_callee(model);
    let values = model.arguments.iter().map(|argument| &argument.value);
    let names: Vec<_> = (0..model.arguments.len())
        .map(|index| format_ident!("__a{index}", span = Span::mixed_site()))
        .collect();
    // One attempt moves its arguments; more of them need a copy for each.
    let constructor =
        if makes_one_attempt(args) || model.has_mutable_reference { quote!(once) } else { quote!(repeat) };
    let mut body = quote! {
        #private::#constructor(
            __DurableMeta,
            #codec,
            (#(#values,)*),
            move |(#(#names,)*)| #callee(#(#names),*),
        )
    };
    if args.is_interruptible() {
        body = quote!(#private::interruptible(#body));
    }
    if let Some(undo) = &args.compensate {
        let join = located_at(&quote!(#private::compensated), Span::call_site().located_at(undo.span()));
        body = quote!(#join(#body, #undo));
    }
    let construct = quote!(#private::Step::new(#options, #body));
    expand_pair(model, "Step", "StepBody", &quote!(&[]), model.function.body.clone(), &construct)
}

/// An at-most-once step without a policy is not tried again either: whether it may be is for its author to say.
fn makes_one_attempt(args: &StepArgs) -> bool {
    match &args.retry {
        Some(Retry::Never) => true,
        Some(Retry::Policy(policy)) => policy.max_attempts == 1,
        Some(Retry::Expression(_)) => false,
        None => args.at_most_once.is_some(),
    }
}
