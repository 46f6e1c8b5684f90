//! What is emitted when an item can't be expanded: the item itself, then the errors. Without the item,
//! rustc would add a "cannot find" for each of its uses and editors would lose it.

use proc_macro2::TokenStream;

use crate::diagnostics::Diagnostics;

pub(crate) fn item_with_errors(item: TokenStream, problems: Diagnostics) -> TokenStream {
    let mut output = item;
    output.extend(problems.into_compile_errors());
    output
}
