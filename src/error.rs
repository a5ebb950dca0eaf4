//! The one error type: opaque, cloneable, and the same live and in a replay.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::ParkReason;

/// The result of everything durable.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What a body may fail with: any error, as a box.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// Why a step, a run or a call failed.
///
/// An error that comes out of a step or a run is recorded as text: its message, the messages of its
/// causes, the step and the number of attempts. So the error that a replay returns is equal to
/// the one that was returned live, and equal errors print alike, causes included. The
/// original type is not kept: what a workflow must tell apart is a value
/// (`T = Result<Charge, Declined>`), not an error.
///
/// ```
/// use dacapo::Error;
///
/// let refused = Error::new("card refused").permanent();
/// assert_eq!(refused.to_string(), "card refused");
/// assert!(refused.is_permanent() && !refused.is_parked());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Failure);

/// What is recorded of an error. A clone shares it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
pub(crate) struct Failure(Arc<Parts>);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Parts {
    kind: Kind,
    /// The message, without the causes.
    message: String,
    causes: Causes,
    /// A retry cannot help.
    permanent: bool,
}

/// What predicates can tell of an error. The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// User code said so.
    Failed,
    /// User code panicked.
    Panicked,
    /// A time limit passed.
    Elapsed,
    /// The process ended while an attempt was under way.
    Interrupted,
    /// The run was cancelled.
    Cancelled,
    /// The run is parked.
    Parked,
    /// A call was wrong: another workflow's id, an unregistered name.
    Usage,
    /// The store failed.
    Store,
    /// The executor is gone.
    Closed,
    /// There is no run with the id of a call.
    NotFound,
    /// A call came too late: the run has ended.
    Ended,
    /// The run is parked for this reason. `Parked` is what builds without reasons have recorded.
    ParkedFor(ParkReason),
    /// A run ended with a value that cannot be recorded.
    Unrecordable,
    /// A run that was to be new has an id or a key that another one has.
    Taken,
}

/// The causes of an error, the nearest first; a list of messages in a history.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
struct Causes(Option<Box<Cause>>);

/// One cause, which leads to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Cause {
    message: String,
    rest: Causes,
}

impl Causes {
    /// How many causes of an error are kept; a chain that long is a loop.
    const MAX: usize = 32;
}

/// What an error says, as far as it is kept: some never come to an end.
struct Text(String);

impl Text {
    /// So many bytes are kept.
    const MAX: usize = 1 << 16;

    fn of(error: &(impl fmt::Display + ?Sized)) -> String {
        let mut text = Self(String::new());
        // An error that cannot say what it is has said something by then.
        let _ = fmt::write(&mut text, format_args!("{error}"));
        text.0
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = Self::MAX.saturating_sub(self.0.len());
        if more.len() <= room {
            self.0.push_str(more);
            return Ok(());
        }
        let kept = (0..=room).rev().find(|&at| more.is_char_boundary(at)).unwrap_or_default();
        self.0.push_str(&more[..kept]);
        self.0.push_str(" (cut off)");
        Err(fmt::Error)
    }
}

impl From<Vec<String>> for Causes {
    fn from(messages: Vec<String>) -> Self {
        let nearest = messages.into_iter().take(Self::MAX);
        nearest
            .rev()
            .fold(Self::default(), |rest, message| Self(Some(Box::new(Cause { message, rest }))))
    }
}

impl From<Causes> for Vec<String> {
    fn from(causes: Causes) -> Self {
        let nearest = causes.0.as_deref();
        let chain = core::iter::successors(nearest, |cause| cause.rest.0.as_deref());
        chain.map(|cause| cause.message.clone()).collect()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Cause {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.rest.0.as_deref().map(|cause| cause as _)
    }
}

impl Error {
    /// A failure with a message of its own and no causes.
    ///
    /// To keep an error's causes, convert it: `Error::from(BoxError::from(error))`.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::of(Kind::Failed, message)
    }

    /// The same error, marked so that no retry policy tries again.
    ///
    /// The mark is found behind whatever names this error as its source: a context of `anyhow`, a
    /// `#[source]` of `thiserror`, and so are the other things that the predicates tell. A box that takes
    /// its place without naming it hides it, as these do: a bare `?` into `anyhow::Error` (add a context),
    /// `#[error(transparent)]` of `thiserror` (give the variant a message), `io::Error::other`, an `Arc` around it.
    /// Or decide with [`Step::retry_if`](crate::Step::retry_if).
    #[must_use]
    pub fn permanent(self) -> Self {
        Self(self.0.with(|parts| parts.permanent = true))
    }

    /// Whether [`permanent`](Self::permanent) marked it.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.is_permanent()
    }

    /// The same error with `context` before its message. What the predicates say of it, its causes
    /// and whether a retry can help stay as they are.
    ///
    /// ```
    /// use dacapo::Error;
    ///
    /// let error = Error::new("card refused").permanent().wrap("the order was not paid");
    /// assert_eq!(error.to_string(), "the order was not paid: card refused");
    /// assert!(error.is_permanent());
    /// ```
    #[must_use]
    pub fn wrap(self, context: impl fmt::Display) -> Self {
        Self(self.0.within(context))
    }

    /// Whether a run is parked: stopped without having ended, its history untouched.
    ///
    /// The message says why. [`Executor::resume`](crate::Executor::resume) tries again.
    ///
    /// This and [`is_cancelled`](Self::is_cancelled), [`is_not_found`](Self::is_not_found),
    /// [`is_ended`](Self::is_ended), [`is_taken`](Self::is_taken), [`is_closed`](Self::is_closed) and
    /// [`is_store`](Self::is_store) are true of the run, the call or the store that was asked. A run that
    /// fails with such an error of another has failed: it passes on the message, and none of these is true of it.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Result, Workflow};
    /// # const PARENT: Workflow<(), ()> = Workflow::new("parent");
    /// # const LOST: dacapo::Channel<u8> = dacapo::Channel::new("lost");
    ///
    /// let executor = Executor::builder()
    ///     .workflow(PARENT, async |ctx: &Ctx, ()| -> Result<()> {
    ///         let error = ctx.send("nobody", LOST, 7).await.unwrap_err();
    ///         assert!(error.is_not_found());
    ///         Err(error)
    ///     })
    ///     .in_memory();
    /// let error = executor.block_on(executor.start(PARENT, "one", ())?).unwrap_err();
    /// assert!(error.to_string().contains("nobody") && !error.is_not_found());
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn is_parked(&self) -> bool {
        matches!(self.0.0.kind, Kind::Parked | Kind::ParkedFor(_))
    }

    /// Why a run is parked, if that is what this error says.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, ParkReason, Result, Workflow};
    /// const BREW: Workflow<(), ()> = Workflow::new("brew");
    ///
    /// let executor = Executor::builder()
    ///     .workflow(BREW, async |_: &Ctx, ()| -> Result<()> { panic!("no tea") })
    ///     .in_memory();
    /// let error = executor.block_on(executor.start(BREW, "brew-1", ())?).unwrap_err();
    /// assert_eq!(error.park_reason(), Some(ParkReason::Panicked));
    /// assert_eq!(Error::new("no tea").park_reason(), None);
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn park_reason(&self) -> Option<ParkReason> {
        match self.0.0.kind {
            Kind::ParkedFor(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether there is no run with the id that a call was given.
    ///
    /// ```
    /// # use dacapo::{Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder().in_memory();
    /// assert!(executor.attach(ECHO, "one").unwrap_err().is_not_found());
    /// assert!(executor.resume("one").unwrap_err().is_not_found());
    /// assert!(executor.block_on(executor.delete("one")).unwrap_err().is_not_found());
    /// ```
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.0.kind == Kind::NotFound
    }

    /// Whether a call came too late: its run has ended.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// let error = executor.resume("one").unwrap_err();
    /// assert!(error.is_ended());
    /// let message = error.to_string();
    /// assert!(message.starts_with(r#"run "one" has ended, so it cannot be resumed"#), "{message}");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.0.0.kind == Kind::Ended
    }

    /// Whether a run was to be new ([`Start::only_new`](crate::Start::only_new), or a child that is
    /// [unique](crate::Start::unique)), and another one has its id or its key.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.0.kind == Kind::Taken
    }

    /// Whether a run was cancelled: its code was dropped, and its row says so. One that was asked to end
    /// and ended by itself has completed or failed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.0.kind == Kind::Cancelled
    }

    /// Whether a step was interrupted by the end of its process and is not tried again.
    ///
    /// Whether its effect took place is not known: ask the system that it was meant for.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.0.kind == Kind::Interrupted
    }

    /// Whether a time limit passed: a step's own, or one set with
    /// [`Ctx::timeout`](crate::Ctx::timeout).
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.0.0.kind == Kind::Elapsed
    }

    /// Whether the executor has stopped: it was shut down or dropped. Nothing is wrong with the run:
    /// the next executor over its store goes on with it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.0.kind == Kind::Closed
    }

    /// Whether a body or a workflow panicked, or a call of [`Remote::with`](crate::Remote::with).
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.0.0.kind == Kind::Panicked
    }

    /// Whether the store failed: the disk refused a commit, a file is in use or damaged.
    #[must_use]
    pub fn is_store(&self) -> bool {
        self.0.0.kind == Kind::Store
    }

    pub(crate) fn of(kind: Kind, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self(Parts { kind, message, causes: Causes::default(), permanent: false }.into())
    }

    /// The end of a run whose code was dropped, and why it was.
    pub(crate) fn cancelled(why: impl fmt::Display) -> Self {
        Self::of(Kind::Cancelled, format_args!("the run was cancelled: {why}"))
    }

    pub(crate) fn store(error: &dacapo_store::Error) -> Self {
        Self(Failure::from_chain(error).with(|parts| parts.kind = Kind::Store))
    }

    pub(crate) fn into_failure(self) -> Failure {
        self.0
    }
}

/// What the predicates tell of an error.
struct Told {
    kind: Kind,
    permanent: bool,
}

impl Told {
    /// Of one of ours.
    fn of(error: &(dyn core::error::Error + 'static)) -> Option<Self> {
        if let Some(Error(Failure(parts))) = error.downcast_ref() {
            return Some(Self { kind: parts.kind, permanent: parts.permanent });
        }
        let elapsed = error.downcast_ref::<Elapsed>();
        elapsed.map(|_| Self { kind: Kind::Elapsed, permanent: false })
    }
}

impl From<Parts> for Failure {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl From<Failure> for Parts {
    fn from(failure: Failure) -> Self {
        Arc::unwrap_or_clone(failure.0)
    }
}

impl Failure {
    /// What is kept of an error of any type.
    pub(crate) fn from_error(error: &(dyn core::error::Error + 'static)) -> Self {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return ours.0.clone();
        }
        let failure = Self::from_chain(error);
        // What wraps one of ours says what that said.
        let chain = core::iter::successors(Some(error), |error| error.source());
        match chain.take(1 + Causes::MAX).find_map(Told::of) {
            Some(Told { kind, permanent }) => failure.with(|parts| {
                parts.kind = kind;
                parts.permanent = permanent;
            }),
            None => failure,
        }
    }

    fn from_chain(error: &(dyn core::error::Error + 'static)) -> Self {
        let chain = core::iter::successors(error.source(), |cause| cause.source());
        let causes: Vec<_> = chain.take(Causes::MAX).map(Text::of).collect();
        let message = Text::of(error);
        Parts { kind: Kind::Failed, message, causes: causes.into(), permanent: false }.into()
    }

    /// What a run ends with says nothing of other runs, of calls and of stores that its code asked.
    pub(crate) fn of_end(self) -> Self {
        match self.0.kind {
            Kind::Failed
            | Kind::Panicked
            | Kind::Elapsed
            | Kind::Interrupted
            | Kind::Unrecordable => self,
            Kind::Cancelled
            | Kind::Parked
            | Kind::ParkedFor(_)
            | Kind::Usage
            | Kind::Store
            | Kind::Closed
            | Kind::NotFound
            | Kind::Ended
            | Kind::Taken => self.with(|parts| parts.kind = Kind::Failed),
        }
    }

    /// Puts `context` before the message.
    pub(crate) fn within(self, context: impl fmt::Display) -> Self {
        self.with(|parts| parts.message = alloc::format!("{context}: {}", parts.message))
    }

    fn with(self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = Parts::from(self);
        change(&mut parts);
        parts.into()
    }

    /// The message, without the causes.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn is_permanent(&self) -> bool {
        self.0.permanent
    }

    /// Whether this is the end of a run whose code was dropped.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.kind == Kind::Cancelled
    }

    /// Whether this stands for a value that could not be recorded.
    pub(crate) fn is_unrecordable(&self) -> bool {
        self.0.kind == Kind::Unrecordable
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<BoxError> for Error {
    fn from(error: BoxError) -> Self {
        Failure::from_error(&*error).into()
    }
}

/// That of a store that was opened by itself, so that `?` does for both in one function.
///
/// ```
/// use dacapo::Executor;
/// use dacapo::store::{MemoryStore, Store};
///
/// fn main() -> dacapo::Result<()> {
///     let store = MemoryStore::new();
///     store.count()?;
///     let executor = Executor::builder().open_with(store)?;
/// #   drop(executor);
///     Ok(())
/// }
/// ```
impl From<dacapo_store::Error> for Error {
    fn from(error: dacapo_store::Error) -> Self {
        Self::store(&error)
    }
}

impl From<Elapsed> for Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::of(Kind::Elapsed, elapsed)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())
    }
}

/// The message with its causes, as `fn main() -> dacapo::Result<()>` prints it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())?;
        let first = core::error::Error::source(self);
        let mut chain = core::iter::successors(first, |cause| cause.source());
        chain.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.0.causes.0.as_deref().map(|cause| cause as _)
    }
}

/// A time limit passed before a future was ready; see [`Ctx::timeout`](crate::Ctx::timeout).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed {
    pub(crate) limit: Duration,
}

impl Elapsed {
    /// The limit that passed.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not ready within {:?}", self.limit)
    }
}

impl core::error::Error for Elapsed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    /// Histories hold the kinds as their places in this order.
    #[test]
    fn kinds_keep_their_places() {
        let kinds = [
            Kind::Failed,
            Kind::Panicked,
            Kind::Elapsed,
            Kind::Interrupted,
            Kind::Cancelled,
            Kind::Parked,
            Kind::Usage,
            Kind::Store,
            Kind::Closed,
            Kind::NotFound,
            Kind::Ended,
        ];
        for (place, kind) in (0..).zip(kinds) {
            assert_eq!(codec::encode(&kind), [place]);
        }
        let parked = Kind::ParkedFor(ParkReason::LiveLock);
        assert_eq!(codec::encode(&parked), [11, 3]);
        assert_eq!(codec::encode(&Kind::Unrecordable), [12]);
        assert_eq!(codec::encode(&Kind::Taken), [13]);
    }

    /// What is told of a parked run survives a history: a body may have awaited it.
    #[test]
    fn wrapped_errors_keep_all_but_the_message() {
        let parked = Error::of(Kind::ParkedFor(ParkReason::Stalled), "it is parked").permanent();
        let wrapped = parked.wrap("the shipment").wrap(7);
        let bytes = codec::encode(&wrapped.clone().into_failure());
        let read: Failure = codec::decode(&bytes).expect("it is read");
        assert_eq!(Error::from(read), wrapped);
        assert_eq!(wrapped.to_string(), "7: the shipment: it is parked");
        assert!(wrapped.is_permanent() && wrapped.is_parked());
        assert_eq!(wrapped.park_reason(), Some(ParkReason::Stalled));

        let cause = Error::from(BoxError::from("no route"));
        let mut causes = Failure::from_chain(&Elapsed { limit: Duration::ZERO });
        causes = causes.with(|parts| parts.causes = alloc::vec![cause.to_string()].into());
        let wrapped = Error::from(causes).wrap("asking the bank");
        let shown = alloc::format!("{wrapped:?}");
        assert_eq!(shown, "asking the bank: not ready within 0ns: no route");
    }

    /// Builds before this one recorded that a run was parked, and not for which reason.
    #[test]
    fn a_parked_run_without_a_reason_is_parked() {
        let error = Error::of(Kind::Parked, "it is parked");
        assert!(error.is_parked());
        assert_eq!(error.park_reason(), None);
    }
}
