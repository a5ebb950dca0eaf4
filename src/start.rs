//! What may be said of a run when it is started.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::time::Duration;

use crate::clock::{Now, Timestamp};
use crate::record::Options;

/// Options of a run, for [`Executor::start_with`](crate::Executor::start_with) and
/// [`Ctx::child_with`](crate::Ctx::child_with).
///
/// ```
/// use std::time::Duration;
/// use dacapo::{Ctx, Executor, Result, Start, Workflow};
///
/// const NAP: Workflow<(), ()> = Workflow::new("nap");
///
/// async fn nap(ctx: &Ctx, (): ()) -> Result<()> {
///     ctx.sleep(Duration::from_secs(3600)).await;
///     Ok(())
/// }
///
/// let executor = Executor::builder().workflow(NAP, nap).in_memory();
/// let soon = Start::new().timeout(Duration::from_millis(20)).attribute("customer", "ada");
/// let run = executor.start_with(NAP, "nap-1", (), soon)?;
/// assert!(executor.block_on(run).unwrap_err().is_cancelled());
/// assert_eq!(executor.runs(&Default::default())?[0].attributes[0].1, "ada");
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
#[must_use = "options change nothing unless a run is started with them"]
pub struct Start {
    deadline: Option<Timestamp>,
    timeout: Option<Duration>,
    attributes: Vec<(String, String)>,
    pub(crate) is_same_input: bool,
}

impl Start {
    /// No options: as [`Executor::start`](crate::Executor::start) starts a run.
    pub fn new() -> Self {
        Self::default()
    }

    /// The run is asked to end at this time, as by [`Executor::cancel`](crate::Executor::cancel), if it
    /// has not ended; without `std` it is a [`Timestamp`]. Its children are, too.
    ///
    /// [`Ctx::cancelled`](crate::Ctx::cancelled) gives the cause
    /// [`Deadline`](crate::Cause::Deadline). A time that has passed is due at once: the run is accepted,
    /// and asked to end with the next commit, before any of its steps begins. While a run is parked or
    /// its workflow is not registered it is not asked. The earlier one counts if there is a
    /// [`timeout`](Self::timeout), too.
    pub fn deadline(self, time: Now) -> Self {
        Self { deadline: Some(Timestamp::from_now(time)), ..self }
    }

    /// The same, so long after the run is submitted.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// If there is a run with this id, and it was started with another input, the start is an error: a
    /// client has used an id twice, perhaps. By default it attaches to that run, and the input is ignored.
    ///
    /// Inputs are compared by what they hold, with the one of the run's first pass; that one is read from the
    /// run's history. Children do not attach, so it changes nothing for them.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Start, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n))
    ///     .in_memory();
    /// let same = || Start::new().same_input();
    /// assert!(executor.start_with(ECHO, "one", 1, same())?.is_new());
    /// assert!(!executor.start_with(ECHO, "one", 1, same())?.is_new());
    /// let error = executor.start_with(ECHO, "one", 2, same()).unwrap_err();
    /// assert!(error.to_string().starts_with(r#"run "one" was started with another input"#));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn same_input(self) -> Self {
        Self { is_same_input: true, ..self }
    }

    /// A name and a value by which the run is found
    /// ([`Filter::attribute`](crate::store::Filter::attribute)); they are in its row. A name that was given
    /// before gets the new value.
    pub fn attribute(mut self, name: &str, value: impl Display) -> Self {
        self.attributes.retain(|(before, _)| before != name);
        self.attributes.push((name.to_string(), value.to_string()));
        self
    }

    /// For a run that is submitted now.
    pub(crate) fn at(self, now: Timestamp) -> Options {
        let timeout = self.timeout;
        let mut options = self.without_timeout();
        let late = timeout.map(|timeout| now + timeout);
        options.deadline = options.deadline.into_iter().chain(late).min();
        options
    }

    /// For a run that is submitted later: its timeout, and all else.
    pub(crate) fn later(self) -> (Option<Duration>, Options) {
        (self.timeout, self.without_timeout())
    }

    fn without_timeout(self) -> Options {
        let Self { deadline, mut attributes, .. } = self;
        attributes.sort();
        Options { deadline, attributes }
    }
}
