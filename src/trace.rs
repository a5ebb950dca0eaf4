//! What can be watched of a run: numbers, deliveries and polls.

use alloc::rc::Rc;
use core::fmt;

use crate::notice::Notice;
use crate::record::{Asked, Record};

/// Something that happened to a run, in the terms in which a replay repeats it exactly.
///
/// It prints as one line, so two traces are compared as text: see [`Observer`].
#[derive(Clone, Copy)]
pub enum Event<'a> {
    /// The record at this seq of the history was delivered.
    Delivered(u64, Recorded<'a>),
    /// The task with this number was polled; 0 is the root.
    Polled(u32),
    /// An operation was polled for the first time: the run asks for it.
    Asked(&'a dyn fmt::Display),
}

/// A record of a history, as messages show it.
#[derive(Clone, Copy)]
pub struct Recorded<'a>(pub(crate) &'a Record<'a>);

impl<'a> Recorded<'a> {
    /// The name of the step whose outcome this is, if it is one.
    #[must_use]
    pub fn finished_step(self) -> Option<&'a str> {
        match self.0 {
            Record::OperationEnded {
                asked: Asked::Step { name } | Asked::StepOf { name, .. },
                ..
            } => Some(name),
            Record::OperationEnded {
                asked:
                    Asked::Sleep { .. }
                    | Asked::Send { .. }
                    | Asked::Receive { .. }
                    | Asked::Child { .. },
                ..
            }
            | Record::OperationNoted { .. }
            | Record::Started { .. }
            | Record::Finished { .. }
            | Record::MessageArrived { .. }
            | Record::CancelRequested { .. }
            | Record::Submitted(_)
            | Record::Admitted { .. }
            | Record::Marked { .. }
            | Record::Reported { .. }
            | Record::MessageSkipped { .. }
            | Record::Again
            | Record::Retried { .. }
            | Record::Forked { .. }
            | Record::Resubmitted(_)
            | Record::Moved { .. } => None,
        }
    }
}

impl fmt::Display for Recorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered(seq, record) => write!(f, "deliver {seq}: {record}"),
            Self::Polled(task) => write!(f, "poll {task}"),
            Self::Asked(operation) => write!(f, "ask {operation}"),
        }
    }
}

/// Someone who watches runs, set with `Builder::observer`.
///
/// Observers see every event of every run in order, live and in replays alike, and are told what
/// somebody who looks after the runs wants to know ([`notify`](Self::notify)). They must not call
/// the executor. A panic in one is caught (with `std`), and the run goes on.
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use dacapo::{Ctx, Error, Event, Executor, Observer, Result, Workflow};
///
/// #[derive(Default)]
/// struct Log(RefCell<Vec<String>>);
///
/// impl Observer for Log {
///     fn observe(&self, run: &str, event: Event<'_>) {
///         self.0.borrow_mut().push(format!("{run}: {event}"));
///     }
///
///     fn rehearse(&self, run: &str, event: Event<'_>) {
///         self.observe(run, event);
///     }
/// }
///
/// const GREET: Workflow<(), String> = Workflow::new("greet");
///
/// async fn greet(ctx: &Ctx, (): ()) -> Result<String> {
///     ctx.step("compose", async || Ok::<_, Error>("hello".to_owned())).await
/// }
///
/// let log = Rc::new(Log::default());
/// let executor = Executor::builder().workflow(GREET, greet).observer(log.clone()).in_memory();
/// executor.block_on(executor.start(GREET, "a", ())?)?;
/// let live = log.0.take();
/// assert_eq!(live[..5], [
///     r#"a: deliver 0: start of workflow "greet""#,
///     "a: poll 0",
///     r#"a: ask step 1 "compose""#,
///     r#"a: deliver 1: outcome of step 1 "compose""#,
///     "a: poll 0",
/// ]);
///
/// // A replay is the same, event for event.
/// executor.verify("a")?;
/// assert_eq!(log.0.take(), live);
/// # Ok::<(), Error>(())
/// ```
pub trait Observer {
    /// Something happened to the run with this id.
    fn observe(&self, run: &str, event: Event<'_>);

    /// The same in a rehearsal: [`Executor::verify`](crate::Executor::verify) replays the run beside the
    /// live ones, and nothing happens to it. By default nothing is done with it.
    fn rehearse(&self, run: &str, event: Event<'_>) {
        let _ = (run, event);
    }

    /// Something happened that is no part of a trace, but of interest to whoever looks after the
    /// executor. By default nothing is done with it.
    fn notify(&self, notice: &Notice<'_>) {
        let _ = notice;
    }
}

impl<T: Observer + ?Sized> Observer for Rc<T> {
    fn observe(&self, run: &str, event: Event<'_>) {
        (**self).observe(run, event);
    }

    fn rehearse(&self, run: &str, event: Event<'_>) {
        (**self).rehearse(run, event);
    }

    fn notify(&self, notice: &Notice<'_>) {
        (**self).notify(notice);
    }
}

/// What is shown of a rehearsal, to whoever watches the live runs.
pub(crate) struct Rehearsed(pub(crate) Rc<dyn Observer>);

impl Observer for Rehearsed {
    fn observe(&self, run: &str, event: Event<'_>) {
        self.0.rehearse(run, event);
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
