//! Panics of user code, caught and turned into messages.

use alloc::string::String;
use core::cell::Cell;

/// What a panic said.
#[cfg(feature = "std")]
fn message(panic: &(dyn core::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Calls `code`; a panic in it comes back as its message.
#[cfg(feature = "std")]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    let code = core::panic::AssertUnwindSafe(code);
    std::panic::catch_unwind(code).map_err(|panic| {
        let message = message(&*panic).into();
        // What is neither text nor ours may panic again when it is dropped.
        core::mem::forget(panic);
        message
    })
}

/// Without `std` a panic ends the process, or whatever there is in the place of one.
#[cfg(not(feature = "std"))]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    Ok(code())
}

/// Counts the panics of what an executor is given and calls beside its runs: clocks, observers, wakers.
/// They are not the fault of any run.
#[derive(Default)]
pub(crate) struct Caught(Cell<u64>);

impl Caught {
    /// Calls `code`, or gives `otherwise` if it panics.
    pub(crate) fn or<T>(&self, otherwise: T, code: impl FnOnce() -> T) -> T {
        catch(code).unwrap_or_else(|_| {
            self.0.set(self.0.get() + 1);
            otherwise
        })
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.get()
    }
}

/// Drops `value`; a panic in that comes back as its message.
pub(crate) fn catch_drop<T>(value: T) -> Result<(), String> {
    match core::mem::needs_drop::<T>() {
        true => catch(|| drop(value)),
        false => Ok(()),
    }
}
