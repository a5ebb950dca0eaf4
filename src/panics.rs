//! Panics of user code, caught and turned into messages.

use alloc::string::String;
use core::any::Any;
use core::panic::AssertUnwindSafe;

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Calls `code`; a panic in it comes back as its message.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    #[cfg(feature = "std")]
    return std::panic::catch_unwind(AssertUnwindSafe(code))
        .map_err(|panic| message(&*panic).into());
    #[cfg(not(feature = "std"))]
    return Ok(AssertUnwindSafe(code).0());
}
