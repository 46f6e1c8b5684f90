//! The rules on the signature. All of them are checked, whatever the first one says.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::visit::Visit;
use syn::{FnArg, ReceiverKind, ReturnType, Safety, Signature, Type, TypeImplTrait};

use crate::args::StepArgs;
use crate::diagnostics::Diagnostics;
use crate::function::Function;
use crate::model::Kind;

/// What the runtime copies for each attempt of a step is a tuple of at most this many elements.
const MOST_ARGUMENTS: usize = 12;

/// Reports what a step or an execution can't have. Returns whether it can be expanded nonetheless, so that
/// its callers are still typed.
pub(crate) fn check_signature(function: &Function, kind: Kind, problems: &mut Diagnostics) -> bool {
    let signature = &function.signature;
    let (what, name) = (kind.noun(), &signature.ident);
    if signature.asyncness.is_none() {
        let reason = match kind {
            Kind::Step => "so it can't await anything",
            Kind::Execution => "so it can't suspend",
        };
        let message = format!("{what} `{name}` is not `async`, {reason}; declare it as `async fn {name}`");
        problems.push(signature.fn_token, message);
    }
    check_qualifiers(signature, kind, problems);
    for argument in &signature.inputs {
        check_argument(argument, signature, kind, problems);
    }
    if kind == Kind::Step && signature.inputs.len() > MOST_ARGUMENTS {
        let surplus: TokenStream =
            signature.inputs.iter().skip(MOST_ARGUMENTS).map(ToTokens::to_token_stream).collect();
        problems.push(
            surplus,
            format!(
                "step `{name}` takes more than {MOST_ARGUMENTS} arguments; put some of them into a struct"
            ),
        );
    }
    check_output(signature, kind, problems)
}

/// An interrupted attempt answers with an `Err`, so the output has to be a `Result`. Other names than those of
/// well-known types may stand for one; there the types decide.
pub(crate) fn check_interruptible(signature: &Signature, args: &mut StepArgs, problems: &mut Diagnostics) {
    if !args.is_interruptible() || may_be_result(&signature.output) {
        return;
    }
    let option = if args.at_most_once.is_some() { "at_most_once" } else { "timeout" };
    let message = format!(
        "a step with `{option}` has to say when an attempt was cut off, and this output can't; \
         return a `Result` whose error type has a `From<Interrupted>`"
    );
    match &signature.output {
        ReturnType::Default => problems.push(&signature.ident, message),
        ReturnType::Type(_, output) => problems.push(output, message),
    }
    args.at_most_once = None;
    args.timeout = None;
}

fn may_be_result(output: &ReturnType) -> bool {
    const OTHERS: [&str; 19] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
        "bool", "char", "String", "Vec", "Option",
    ];
    match output {
        ReturnType::Default => false,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Path(path) => {
                path.path.segments.last().is_none_or(|last| !OTHERS.iter().any(|other| last.ident == other))
            }
            Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::Reference(_) => false,
            _ => true,
        },
    }
}

fn check_qualifiers(signature: &Signature, kind: Kind, problems: &mut Diagnostics) {
    let (what, name) = (kind.noun(), &signature.ident);
    let qualifiers: [Option<(TokenStream, &str)>; 3] = [
        match &signature.safety {
            Safety::Unsafe(token) => Some((quote!(#token), "unsafe")),
            _ => None,
        },
        signature.constness.as_ref().map(|token| (quote!(#token), "const")),
        signature.abi.as_ref().map(|abi| (quote!(#abi), "extern")),
    ];
    for (tokens, qualifier) in qualifiers.into_iter().flatten() {
        let message = format!(
            "{what} `{name}` can't be `{qualifier}`, because calling it only describes it; remove `{qualifier}`"
        );
        problems.push(tokens, message);
    }
    if let Some(variadic) = &signature.variadic {
        problems.push(
            variadic,
            format!("{what} `{name}` can't take a variable number of arguments; pass a `Vec`"),
        );
    }
}

fn check_argument(argument: &FnArg, signature: &Signature, kind: Kind, problems: &mut Diagnostics) {
    let (what, name) = (kind.noun(), &signature.ident);
    let Some(mutable) = mutable_reference(argument) else { return };
    let (given, wanted) = match argument {
        FnArg::Receiver(_) => ("`self` by `&mut`", "take `&self`"),
        FnArg::Typed(_) => ("an argument by `&mut`", "take it by value or by `&`"),
    };
    let reason = match kind {
        Kind::Step => "but on replay its body doesn't run and the change would be missing",
        Kind::Execution => "but the caller's value is not part of the history",
    };
    problems.push(
        mutable,
        format!("{what} `{name}` takes {given}, {reason}; {wanted}, and return what has changed"),
    );
}

/// The tokens of `&mut T` or `&mut self`, if that is what the argument is.
pub(crate) fn mutable_reference(argument: &FnArg) -> Option<TokenStream> {
    match argument {
        FnArg::Receiver(receiver) => {
            let is_mutable = match &receiver.kind {
                ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
                ReceiverKind::Typed(_, ty) => matches!(&**ty, Type::Reference(ty) if ty.mutability.is_some()),
                _ => false,
            };
            is_mutable.then(|| receiver.to_token_stream())
        }
        FnArg::Typed(typed) => match &*typed.ty {
            Type::Reference(ty) if ty.mutability.is_some() => Some(ty.to_token_stream()),
            _ => None,
        },
    }
}

fn check_output(signature: &Signature, kind: Kind, problems: &mut Diagnostics) -> bool {
    let ReturnType::Type(_, output) = &signature.output else { return true };
    let mut finder = FirstImplTrait { found: None };
    finder.visit_type(output);
    let Some(found) = finder.found else { return true };
    problems.push(
        found,
        format!(
            "{} `{}` returns an unnamed type, which can't be restored from the history; name the type",
            kind.noun(),
            signature.ident
        ),
    );
    false
}

struct FirstImplTrait {
    found: Option<TokenStream>,
}

impl Visit<'_> for FirstImplTrait {
    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        self.found.get_or_insert_with(|| ty.to_token_stream());
    }
}

/// `#[tracing::instrument]` above ours has already taken the body apart when we see it: its span would not
/// follow the execution, and its future is none of ours.
pub(crate) fn is_instrumented(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => ident == "__tracing_attr_span",
        proc_macro2::TokenTree::Group(group) => is_instrumented(group.stream()),
        _ => false,
    })
}

pub(crate) fn check_instrumented(function: &Function, problems: &mut Diagnostics) -> bool {
    let instrumented = is_instrumented(function.body.stream());
    if instrumented {
        problems.push(
            &function.signature.ident,
            "`#[tracing::instrument]` stands above `#[durable_execution]`, so what it awaits is not the execution; \
             put it below",
        );
    }
    instrumented
}
