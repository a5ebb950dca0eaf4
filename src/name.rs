//! Typed durable names: what a build and a history agree on.

use core::fmt;
use core::marker::PhantomData;

/// A name as a constant, with types that nothing of is held.
macro_rules! durable_name {
    ($(#[$docs:meta])* $Name:ident<$($T:ident),+>: $types:ty, $what:literal) => {
        durable_name! { $(#[$docs])* $Name<$($T),+>: $types, $what, usize::MAX }
    };
    ($(#[$docs:meta])* $Name:ident<$($T:ident),+>: $types:ty, $what:literal, $most:expr) => {
        $(#[$docs])*
        pub struct $Name<$($T),+> {
            name: &'static str,
            types: PhantomData<$types>,
        }

        impl<$($T),+> $Name<$($T),+> {
            #[doc = concat!("Names ", $what, ".")]
            ///
            /// # Panics
            ///
            /// Panics (at compile time, in a `const`) if the name is empty, or too long where there is a limit.
            #[must_use]
            pub const fn new(name: &'static str) -> Self {
                assert!(!name.is_empty(), concat!($what, " needs a name"));
                assert!(name.len() <= $most, concat!("the name of ", $what, " is too long"));
                Self { name, types: PhantomData }
            }

            /// The name that histories hold.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                self.name
            }
        }

        impl<$($T),+> Clone for $Name<$($T),+> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($T),+> Copy for $Name<$($T),+> {}

        impl<$($T),+> fmt::Debug for $Name<$($T),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Name)).field(&self.name).finish()
            }
        }
    };
}

durable_name! {
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
    Workflow<I, O>: fn(I) -> O, "a workflow"
}

durable_name! {
    /// The durable name of a channel, with the type of its messages.
    ///
    /// A run receives on it with [`Ctx::receive`](crate::Ctx::receive); runs send to it with
    /// [`Ctx::send`](crate::Ctx::send), everybody else with
    /// [`Executor::send`](crate::Executor::send). Each run has channels of its own: a message is for one
    /// run. One on a channel that the run never receives on is kept, and nobody is told: share the constant,
    /// so that no name is mistyped.
    ///
    /// ```
    /// use dacapo::Channel;
    ///
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    /// assert_eq!(APPROVAL.name(), "approval");
    /// ```
    Channel<T>: fn(T), "a channel"
}

durable_name! {
    /// The durable name of a question, with the types of what is asked and of the answer.
    ///
    /// A run receives it with [`Ctx::receive`](crate::Ctx::receive) and
    /// [answers](crate::Asked::answer); everybody else asks with
    /// [`Executor::ask`](crate::Executor::ask). A question and a channel of one name have nothing to do
    /// with each other.
    ///
    /// ```
    /// use dacapo::Question;
    ///
    /// const PRICE: Question<String, u64> = Question::new("price");
    /// assert_eq!(PRICE.name(), "price");
    /// ```
    Question<Q, A>: fn(Q) -> A, "a question"
}

durable_name! {
    /// The durable name of a topic, with the type of what is published on it.
    ///
    /// A run publishes on it with [`Ctx::publish`](crate::Ctx::publish), the bodies of its steps with
    /// [`Attempt::publish`](crate::Attempt::publish); whoever wants to know reads it with
    /// [`Executor::latest`](crate::Executor::latest) and
    /// [`Executor::follow`](crate::Executor::follow). Each run has topics of its own.
    /// One on which the run publishes nothing is empty, and no error.
    ///
    /// ```
    /// use dacapo::Topic;
    ///
    /// const STATUS: Topic<String> = Topic::new("status");
    /// assert_eq!(STATUS.name(), "status");
    /// ```
    Topic<T>: fn(T) -> T, "a topic"
}

durable_name! {
    /// The durable name of a table of yours beside the runs, with the types of its keys and its values.
    ///
    /// Workflows read and write it with [`Ctx::transaction`](crate::Ctx::transaction), everybody else
    /// with [`Executor::read`](crate::Executor::read) and [`Executor::write`](crate::Executor::write). It
    /// is there when something is in it. Its name can be any of at most 255 bytes: it meets none of what the
    /// store has for itself.
    ///
    /// ```
    /// use dacapo::Table;
    ///
    /// const BALANCE: Table<String, u64> = Table::new("balance");
    /// assert_eq!(BALANCE.name(), "balance");
    /// ```
    Table<K, V>: fn(K) -> V, "a table", 255
}
