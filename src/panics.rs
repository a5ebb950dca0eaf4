//! Panics of user code, caught and turned into messages.

use alloc::boxed::Box;
use alloc::string::String;
use core::cell::Cell;
use core::fmt;

/// What a panic said.
#[cfg(feature = "std")]
fn message(panic: &(dyn core::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// What a panic said. It is one word, for what is called may end so, and hardly ever does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Panicked(Box<Message>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Message(String);

impl Panicked {
    pub(crate) fn message(&self) -> &str {
        &self.0.0
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// Calls `code`; a panic in it comes back as what it said.
#[cfg(feature = "std")]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    let code = core::panic::AssertUnwindSafe(code);
    std::panic::catch_unwind(code).map_err(said)
}

#[cfg(feature = "std")]
#[cold]
fn said(panic: Box<dyn core::any::Any + Send>) -> Panicked {
    let message = message(&*panic).into();
    // What is neither text nor ours may panic again when it is dropped.
    core::mem::forget(panic);
    Panicked(Box::new(Message(message)))
}

/// Without `std` a panic ends the process, or whatever there is in the place of one.
#[cfg(not(feature = "std"))]
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    Ok(code())
}

/// Whether this is called by what a panic drops on its way.
pub(crate) fn is_unwinding() -> bool {
    #[cfg(feature = "std")]
    return std::thread::panicking();
    #[cfg(not(feature = "std"))]
    return false;
}

/// Whose code the engine is calling, so that it must not come back to the engine.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Caller {
    /// Nobody's: the main future and bodies are no part of a commit.
    #[default]
    Outside,
    /// A workflow, rehearsed or dropped. One that is polled is known by its task.
    Workflow,
    /// An observer or a clock.
    Observer,
    /// Whoever reads or writes tables.
    Transaction,
    /// The input function of a schedule.
    Schedule,
}

/// What is known of the calls to what an executor was given: who is called, and the panics of what is
/// called beside the runs (clocks, observers), which are not the fault of any run.
pub(crate) struct Caught {
    count: Cell<u64>,
    /// What was caught on this thread before.
    before: u64,
    caller: Cell<Caller>,
}

impl Default for Caught {
    fn default() -> Self {
        Self { count: Cell::default(), before: caught_aside(), caller: Cell::default() }
    }
}

impl Caught {
    /// Calls `code` of a clock or an observer, or gives `otherwise` if it panics.
    pub(crate) fn or<T>(&self, otherwise: T, code: impl FnOnce() -> T) -> T {
        catch(|| self.calling(Caller::Observer, code)).unwrap_or_else(|_| {
            self.count.set(self.count.get() + 1);
            otherwise
        })
    }

    /// Calls `code`, which is that of `caller`.
    pub(crate) fn calling<T>(&self, caller: Caller, code: impl FnOnce() -> T) -> T {
        let _called = Called { cell: &self.caller, before: self.caller.replace(caller) };
        code()
    }

    pub(crate) fn caller(&self) -> Caller {
        self.caller.get()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.get() + caught_aside() - self.before
    }
}

/// A call, which a panic may end.
struct Called<'a> {
    cell: &'a Cell<Caller>,
    before: Caller,
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        self.cell.set(self.before);
    }
}

/// Calls code of whoever waits for us, in this thread or another: what wakes them, and what drops what they
/// left here. A panic of it is their own affair. It is counted on this thread, and changes nothing here.
pub(crate) fn aside(code: impl FnOnce()) {
    if catch(code).is_err() {
        #[cfg(feature = "std")]
        ASIDE.with(|count| count.set(count.get() + 1));
    }
}

#[cfg(feature = "std")]
std::thread_local! {
    static ASIDE: Cell<u64> = const { Cell::new(0) };
}

/// How many panics of such code were caught on this thread.
fn caught_aside() -> u64 {
    #[cfg(feature = "std")]
    return ASIDE.with(Cell::get) + dacapo_executor::raw::caught_panics();
    #[cfg(not(feature = "std"))]
    return 0;
}

/// What is kept for somebody who waits, and whose code it calls: it is given or dropped [`aside`].
pub(crate) struct Theirs<T>(Option<T>);

impl<T> Theirs<T> {
    pub(crate) fn new(theirs: T) -> Self {
        Self(Some(theirs))
    }

    /// Calls `give` with it.
    pub(crate) fn give(mut self, give: impl FnOnce(T)) {
        if let Some(theirs) = self.0.take() {
            aside(|| give(theirs));
        }
    }

    /// Whether `is_gone` says so of it.
    pub(crate) fn is(&self, is_gone: impl FnOnce(&T) -> bool) -> bool {
        self.0.as_ref().is_some_and(is_gone)
    }
}

impl<T> Drop for Theirs<T> {
    fn drop(&mut self) {
        if let Some(theirs) = self.0.take() {
            aside(|| drop(theirs));
        }
    }
}

/// Drops `value`; a panic in that comes back as what it said.
pub(crate) fn catch_drop<T>(value: T) -> Result<(), Panicked> {
    match core::mem::needs_drop::<T>() {
        true => catch(|| drop(value)),
        false => Ok(()),
    }
}
