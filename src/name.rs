//! Typed durable names: what a build and a history agree on.

use core::fmt;
use core::marker::PhantomData;

/// The durable name of a workflow, with the types of its input and output.
///
/// The name is what histories hold, so it stays when the function behind it is renamed. Define it
/// as a `const`, register a function for it with [`Builder::workflow`](crate::Builder::workflow),
/// and start runs of it with [`Executor::start`](crate::Executor::start).
///
/// ```
/// use dacapo::Workflow;
///
/// const GREET: Workflow<String, String> = Workflow::new("greet");
/// assert_eq!(GREET.name(), "greet");
/// ```
pub struct Workflow<I, O> {
    name: &'static str,
    types: PhantomData<fn(I) -> O>,
}

impl<I, O> Workflow<I, O> {
    /// Names a workflow.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) if the name is empty.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a workflow needs a name");
        Self { name, types: PhantomData }
    }

    /// The name that histories hold.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<I, O> Clone for Workflow<I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I, O> Copy for Workflow<I, O> {}

impl<I, O> fmt::Debug for Workflow<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Workflow").field(&self.name).finish()
    }
}

/// The durable name of a channel, with the type of its messages.
///
/// A run receives on it with [`Ctx::receive`](crate::Ctx::receive); runs send to it with
/// [`Ctx::send`](crate::Ctx::send), everybody else with
/// [`Executor::send`](crate::Executor::send). Each run has channels of its own: a message is for one
/// run.
///
/// ```
/// use dacapo::Channel;
///
/// const APPROVAL: Channel<bool> = Channel::new("approval");
/// assert_eq!(APPROVAL.name(), "approval");
/// ```
pub struct Channel<T> {
    name: &'static str,
    types: PhantomData<fn(T)>,
}

impl<T> Channel<T> {
    /// Names a channel.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) if the name is empty.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty(), "a channel needs a name");
        Self { name, types: PhantomData }
    }

    /// The name that histories hold.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Channel<T> {}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Channel").field(&self.name).finish()
    }
}
