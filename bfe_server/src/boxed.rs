//! Large futures.

use std::pin::Pin;

/// A future in a box of its own, built there: `Box::pin` has it built on the stack and copied, all the room included
/// that it will only need later.
#[inline]
pub(crate) fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, make()))
}
