//! `step!("name", { .. })`: a step written where it is used.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::args::{check_name, parse_inline_step_args};
use crate::diagnostics::Diagnostics;
use crate::expand::{expand_step_options, with_serdes};
use crate::model::private_path;
use crate::tokens::is_punct;

const USAGE: &str = "write `step!(\"name\", { .. })`, with options between the name and the block";

pub(crate) fn expand_inline_step(input: TokenStream) -> TokenStream {
    let mut problems = Diagnostics::default();
    let (name, options, body) = match split(input) {
        Ok(parts) => parts,
        Err(error) => return error.to_compile_error(),
    };
    problems.accept(check_name(name.clone()));
    let args = parse_inline_step_args(options, &mut problems);
    let private = private_path(None);
    let step_options = expand_step_options(&args, &private);
    let codec = with_serdes(&quote!((&&__probe).codec()), args.common.serdes.as_ref());
    let constructor =
        if args.is_interruptible() { quote!(inline_step_interruptible) } else { quote!(inline_step) };
    let closure = quote_spanned!(body.span()=> || async #body);
    let errors = problems.into_compile_errors();
    quote! {{
        #[allow(unused_imports)] // only one of the two applies to a given output
        use #private::{ProbeFallible as _, ProbeInfallible as _};
        #errors
        let __body = #closure;
        let __probe = #private::probe_fn(&__body);
        #private::#constructor(#name, #step_options, #codec, __body)
    }}
}

/// The name, the options, and the block at the end.
fn split(input: TokenStream) -> syn::Result<(LitStr, TokenStream, Group)> {
    let tokens: Vec<TokenTree> = input.into_iter().collect();
    let Some((first, rest)) = tokens.split_first() else {
        return Err(syn::Error::new(proc_macro2::Span::call_site(), format!("`step!` is empty; {USAGE}")));
    };
    let name: LitStr = syn::parse2(first.clone().into()).map_err(|_| {
        syn::Error::new_spanned(
            first,
            format!("a step in place needs a name, which identifies it on replay; {USAGE}"),
        )
    })?;
    let rest = match rest {
        [rest @ .., comma] if is_punct(std::slice::from_ref(comma), 0, ',') => rest,
        rest => rest,
    };
    match rest {
        [comma, options @ .., TokenTree::Group(body)]
            if is_punct(std::slice::from_ref(comma), 0, ',') && body.delimiter() == Delimiter::Brace =>
        {
            check_not_moving(options)?;
            Ok((name, options.iter().cloned().collect(), body.clone()))
        }
        _ => {
            let last = tokens.last();
            Err(syn::Error::new_spanned(last, format!("the block of the step is missing; {USAGE}")))
        }
    }
}

/// What rustc suggests for a block that outlives what it borrows; each attempt would need captures of its own.
fn check_not_moving(options: &[TokenTree]) -> syn::Result<()> {
    match options.last() {
        Some(TokenTree::Ident(last)) if last == "move" => Err(syn::Error::new_spanned(
            last,
            "a step in place borrows what it uses, because another attempt may need it again; \
             to own it, put the step into a block: `async move { step!(..).await }`",
        )),
        _ => Ok(()),
    }
}
