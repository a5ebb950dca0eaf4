//! How a run began, if with more than its workflow and its input.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use dacapo_store::{RunRow, RunState};

use crate::bytes::Bytes;
use crate::clock::Timestamp;
use crate::instance::Instance;
use crate::record::{Link, Number, Options, Resubmission, Submission};
use crate::timer::RunTimer;

/// Of one run.
pub(crate) struct Submitted {
    pub(crate) pass: u32,
    /// How many passes before it in a row ended with nothing delivered to them but their start.
    pub(crate) idle_passes: u32,
    options: RefCell<Options>,
    /// As what the run waited to be admitted. `None`: there was nothing to wait for.
    waits: Cell<Option<RunState>>,
    admitted_at: Cell<Option<Timestamp>>,
    /// The operation that waits for its end. It is taken away by whoever no longer waits.
    pub(crate) link: Cell<Option<Link>>,
    /// Until it is admitted.
    input: Cell<Option<Bytes<'static>>>,
    /// The timer of its deadline, while there is one.
    timer: Cell<Option<RunTimer>>,
    /// Whether the run was taken up again after it had failed, whatever the deadline.
    ignores_deadline: Cell<bool>,
}

impl Instance {
    /// The run is to begin.
    pub(crate) fn submit(&self, submission: &Submission<'_>) {
        let Submission { input, options, link, pass, carried, .. } = submission;
        let submitted = Submitted {
            pass: *pass,
            idle_passes: carried.idle_passes,
            options: RefCell::new(options.clone()),
            waits: Cell::new(submission.waits()),
            admitted_at: Cell::default(),
            link: Cell::new(*link),
            input: Cell::new(Some(input.clone().into_owned())),
            timer: Cell::default(),
            ignores_deadline: Cell::default(),
        };
        // Live it is there since the run was made.
        if self.extra().submitted.set(submitted).is_ok() {
            self.take_over(carried);
        }
    }

    /// It waits, and is to begin with something else.
    pub(crate) fn resubmit(&self, Resubmission { input, options }: &Resubmission<'_>) {
        let Some(submitted) = self.submitted() else { return };
        if let Some(input) = input {
            submitted.input.set(Some(input.clone().into_owned()));
        }
        submitted.waits.set(options.waits().or(Some(RunState::Delayed)));
        // One that counts no longer is not among them.
        submitted.ignores_deadline.set(false);
        submitted.options.replace(options.clone());
    }

    pub(crate) fn submitted(&self) -> Option<&Submitted> {
        self.has_extra()?.submitted.get()
    }

    /// Which pass of the run this is.
    pub(crate) fn pass(&self) -> u32 {
        self.submitted().map_or(1, |submitted| submitted.pass)
    }

    /// The input of a run that is admitted.
    pub(crate) fn take_input(&self) -> Option<Bytes<'static>> {
        self.submitted()?.input.take()
    }

    /// The run begins.
    pub(crate) fn note_admitted(&self, at: Timestamp) {
        if let Some(submitted) =
            self.submitted().filter(|submitted| submitted.waits.get().is_some())
        {
            submitted.admitted_at.set(Some(at));
        }
    }

    /// Whether it was submitted, and none of its code has run.
    pub(crate) fn is_waiting(&self) -> bool {
        self.unended_state().is_waiting()
    }

    /// How it stands in its row if it has not ended and is not parked.
    pub(crate) fn unended_state(&self) -> RunState {
        let submitted = self.submitted().filter(|submitted| submitted.admitted_at.get().is_none());
        submitted.and_then(|submitted| submitted.waits.get()).unwrap_or(RunState::Running)
    }

    /// What the next pass of it is submitted with.
    pub(crate) fn options(&self) -> Options {
        let options = self.submitted().map(|submitted| submitted.options.borrow().clone());
        Options { deadline: self.deadline_to_inherit(), ..options.unwrap_or_default() }
    }

    /// A copy has no place in a queue.
    pub(crate) fn leave_queue(&self) {
        if let Some(submitted) = self.submitted() {
            submitted.options.borrow_mut().place = None;
            submitted.waits.set(None);
        }
    }

    /// It leaves memory until it is admitted; what watches its deadline is not in it.
    pub(crate) fn rest(&self) {
        if let Some(submitted) = self.submitted() {
            submitted.timer.set(None);
        }
        self.close();
    }

    /// Its history was not delivered to its end, and it is about to be parked: what is known of it is its row.
    pub(crate) fn note_unread(&self, row: &RunRow) {
        let mut row = row.clone();
        (row.state, row.wake_at) = (RunState::Running, None);
        row.note.clear();
        self.extra().unread.replace(Some(Box::new(row)));
    }

    pub(super) fn unread_row(&self) -> Option<RunRow> {
        self.has_extra()?.unread.borrow().as_deref().cloned()
    }

    /// Which operation waits for its end.
    pub(crate) fn link(&self) -> Option<Link> {
        let extra = self.has_extra()?;
        match &*extra.unread.borrow() {
            Some(row) => row.link.map(Link::of_row),
            None => extra.submitted.get()?.link.get(),
        }
    }

    /// Says who waits for its end from now on.
    pub(crate) fn set_link(&self, link: Option<Link>) {
        if let Some(extra) = self.has_extra()
            && let Some(row) = &mut *extra.unread.borrow_mut()
        {
            row.link = link.map(Link::in_row);
        }
        if let Some(submitted) = self.submitted() {
            submitted.link.set(link);
        }
    }

    /// When it is asked to end, if it was not before.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let submitted = self.submitted()?;
        let deadline = submitted.options.borrow().deadline?;
        let counts = !submitted.ignores_deadline.get() && !self.extra().cancelling.is_asked();
        (self.is_running() && counts).then_some(deadline)
    }

    /// What it hands on to children and to its next pass.
    pub(crate) fn deadline_to_inherit(&self) -> Option<Timestamp> {
        let submitted = self.submitted()?;
        let deadline = submitted.options.borrow().deadline;
        deadline.filter(|_| !submitted.ignores_deadline.get())
    }

    /// Its deadline no longer counts.
    pub(crate) fn ignore_deadline(&self) {
        if let Some(submitted) = self.submitted() {
            submitted.ignores_deadline.set(true);
        }
    }

    /// Has the timers know of its deadline.
    pub(crate) fn watch_deadline(&self) {
        if let (Some(submitted), Some(deadline)) = (self.submitted(), self.deadline())
            && submitted.timer.get().is_none()
        {
            let timer = RunTimer { deadline, run: self.key(), number: Number::DEADLINE };
            submitted.timer.set(Some(timer));
            self.world.timers.add(timer);
        }
    }

    pub(super) fn forget_deadline(&self) {
        if let Some(timer) = self.submitted().and_then(|submitted| submitted.timer.take()) {
            self.world.timers.remove(&timer);
        }
    }
}

impl Submitted {
    /// Has a row say it, too.
    pub(super) fn complete(&self, row: &mut RunRow) {
        row.pass = self.pass;
        row.link = self.link.get().map(Link::in_row);
        self.options.borrow().complete(row);
        row.deadline = row.deadline.filter(|_| !self.ignores_deadline.get());
        if let Some(place) = &mut row.queue {
            place.admitted_at = self.admitted_at.get().map(Timestamp::as_nanos);
        }
    }
}
