//! All runs of one executor, and the commit that they share.

mod again;
mod by_id;
mod cancels;
mod children;
mod commit;
mod copies;
mod deliver;
mod evict;
mod figures;
mod guard;
mod held;
mod idle;
mod interrupted;
mod ledgers;
mod notices;
mod open;
mod pages;
mod posts;
mod queues;
mod questions;
mod receivers;
mod reload;
mod retaining;
mod retention;
mod schedules;
mod searched;
mod shutdown;
mod topics;
mod transactions;
mod waiters;
mod write;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, OnceCell, RefCell};
use core::mem;
use core::time::Duration;

use dacapo_store::{Batch, RunKey, Store};
use futures::channel::oneshot;

use crate::error::{Error, Kind, Result};
use crate::fault::Fault;
use crate::instance::{Instance, Others, Pending, Phase, Transaction, World};
use crate::ledger::{Draft, What};
use crate::load::Load;
use crate::notice::Notice;
use crate::panics::{self, Caller, Theirs};
use crate::registry::Registry;
use crate::retention::Rules;
use crate::watch::Crowd;
pub(crate) use deliver::caught;
pub(crate) use guard::Guard;
pub(crate) use held::by_hand;
use ledgers::Ledgers;
pub(crate) use open::fault_of;
use queues::Queues;
pub(crate) use reload::deliver_history;
use retaining::Retaining;
pub(crate) use retaining::{Piece, Sweep};
pub use schedules::ScheduleInfo;
pub(crate) use schedules::Schedules;
pub(crate) use searched::Sought;
pub(crate) use topics::{Page, Reader, Then};
use waiters::{Askers, Followers};

/// What an engine keeps at most, or for how long.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// So many runs may be in memory before those that are idle have to leave it.
    pub(crate) resident_max: usize,
    /// So long the next pass of a run knows the keys of messages that were taken.
    pub(crate) keep_keys: Duration,
    /// So many of the runs that ended in this process are kept.
    pub(crate) ended_max: usize,
}

/// Everything behind an `Executor`.
pub(crate) struct Engine {
    pub(crate) world: Rc<World>,
    pub(crate) registry: Registry,
    pub(crate) seed: u64,
    pub(crate) store: RefCell<Box<dyn Store>>,
    pub(crate) ledgers: Ledgers,
    guard: Guard,
    followers: Followers,
    askers: Askers,
    pub(crate) queues: Queues,
    limits: Limits,
    /// Those of this build, once it takes up runs.
    pub(crate) schedules: Schedules,
    /// `None`: nobody asked for it.
    retaining: Option<Retaining>,
    /// Those that have ended in this process, the oldest first, if not all of them are kept.
    ended: RefCell<VecDeque<RunKey>>,
    next_run: Cell<u64>,
    /// The last commit of the process before.
    opened_at: u64,
    /// Whether some of what is pending may no longer be: a run was parked, or a delivery came
    /// between.
    has_stale: Cell<bool>,
    /// What is in the present commit; empty between two.
    taken: RefCell<Pending>,
    batch: RefCell<Batch>,
    /// Whether time has passed since the last turn.
    pub(crate) has_waited: Cell<bool>,
    pub(crate) load: Load,
    /// Since when there is nothing to do, in monotonic time.
    idle_since: Cell<Option<Duration>>,
    /// Whether all is done that is done at such a time.
    has_rested: Cell<bool>,
    /// Whether the next commit is made for the rows of sleepers alone, if there is nothing else.
    flushes: Cell<bool>,
    /// Why nothing goes on any more.
    failure: OnceCell<Error>,
    /// Those who wait for that.
    stop_waiters: Crowd<Theirs<oneshot::Sender<Stopped>>>,
    /// When it is shut down whatever is under way, in monotonic time.
    closes_at: Cell<Option<Duration>>,
    has_ended_in_order: Cell<bool>,
}

/// Why an executor has stopped, and whether that was asked for and went well.
pub(crate) struct Stopped {
    pub(crate) why: Error,
    is_in_order: bool,
}

impl Engine {
    /// A round of bodies stops early for a commit of so many outcomes: more of them make it no
    /// cheaper, but all that have an effect and no record yet are done again after a crash.
    pub(crate) const OUTCOMES_PER_COMMIT: usize = 10_000;

    pub(crate) fn new(
        world: Rc<World>,
        registry: Registry,
        seed: u64,
        store: Box<dyn Store>,
        limits: Limits,
        guard: Guard,
        retention: Rules,
    ) -> Self {
        Self {
            world,
            queues: Queues::new(registry.queues()),
            registry,
            seed,
            limits,
            schedules: Schedules::default(),
            retaining: Retaining::new(retention),
            ended: RefCell::default(),
            next_run: Cell::new(store.next_run().0),
            opened_at: store.last_commit(),
            load: Load::new(store.bytes().is_some()),
            store: RefCell::new(store),
            ledgers: Ledgers::new(seed),
            guard,
            followers: Followers::default(),
            askers: Askers::default(),
            has_stale: Cell::default(),
            taken: RefCell::default(),
            batch: RefCell::default(),
            has_waited: Cell::new(true),
            idle_since: Cell::default(),
            has_rested: Cell::default(),
            flushes: Cell::default(),
            failure: OnceCell::new(),
            stop_waiters: Crowd::default(),
            closes_at: Cell::default(),
            has_ended_in_order: Cell::default(),
        }
    }

    /// Whose code is running.
    pub(crate) fn caller(&self) -> Caller {
        match self.world.setup.caught.caller() {
            Caller::Outside if self.world.tasks.raw().current().is_some() => Caller::Workflow,
            caller => caller,
        }
    }

    /// Has the next commit change the row of a run.
    fn draft_row(&self, run: &Instance, what: What) {
        self.keep_in_memory(run);
        let draft = run.ledger.draft(what);
        self.world.pending.borrow_mut().others_mut().rows.push(draft);
    }

    /// Stops a run without ending it. Its history stays as it is.
    #[cold]
    pub(crate) fn park(&self, run: &Instance, fault: Fault) {
        self.draft_row(run, What::Park(self.world.stamped(fault).into()));
        self.guard.leave(&self.store, run);
        self.has_stale.set(true);
    }

    /// What is shown of each run whose parking is not committed yet.
    pub(crate) fn pending_parks(&self, mut show: impl FnMut(&Instance, &Fault)) {
        let pending = self.world.pending.borrow();
        for Draft { to, what } in &pending.others().rows {
            if let What::Park(fault) = what
                && let Some(run) = self.ledgers.instance(to)
            {
                show(&run, fault);
            }
        }
    }

    /// Parks the runs that something outside touched, and those in which a step gave up: nothing that came
    /// of it may be committed.
    #[inline]
    fn park_what_cannot_go_on(&self) {
        if self.world.gate.has_foreign_wakes() {
            self.park_woken();
        }
        if !self.world.given_up.borrow().is_empty() {
            self.park_given_up();
        }
    }

    #[cold]
    fn park_given_up(&self) {
        for (run, fault) in self.world.given_up.take() {
            if run.phase.get() == Phase::Live {
                self.park(&run, fault);
            }
        }
    }

    #[cold]
    fn park_woken(&self) {
        while let Some(run) = self.world.gate.next_foreign_wake() {
            let Some(run) = self.ledgers.resident(run) else { continue };
            if let Some(fault) = run.foreign_wake() {
                self.park(&run, fault);
            }
        }
    }

    /// # Errors
    ///
    /// If the executor has stopped.
    pub(crate) fn check(&self) -> Result<()> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Stops everything: nothing of what was not committed may go on.
    fn fail(&self, error: &dacapo_store::Error) -> Error {
        self.stop(Error::store(error))
    }

    /// The same with an error of ours.
    pub(crate) fn stop(&self, why: Error) -> Error {
        let is_new = self.failure.get().is_none();
        let failure = self.failure.get_or_init(|| why).clone();
        if is_new && !failure.is_closed() {
            self.world.notify(&Notice::Stopped { error: &failure });
        }
        self.close(&failure);
        failure
    }

    /// Drops all runs, in the order of their keys, and ends the wait for them with `why`.
    pub(crate) fn close(&self, why: &Error) {
        self.world.ending.expect_no_commit();
        self.world.holds_bodies.set(false);
        drop(self.world.interrupted.take());
        let mut pending = self.world.pending.take();
        let Others { posts, rows, transactions, notes, .. } = pending.others_mut();
        notes.drain(..).for_each(|note| note.refuse(why));
        for transaction in mem::take(transactions).into_values() {
            if let Transaction::Outside(_, receipt) = &transaction {
                receipt.end(Err(why.clone()));
            }
            // What it owns is the user's.
            panics::aside(|| drop(transaction));
        }
        for post in posts.drain(..) {
            post.receipt.end(Err(why.clone()));
        }
        for draft in rows.drain(..) {
            // Of a run that is to be deleted there is no other.
            draft.to.end(Err(why.clone()));
        }
        self.close_runs(why);
        self.followers.wake_all();
        self.askers.close(why);
        // Those of runs that are not in memory are left.
        self.world.timers.forget_runs();
        for waiter in self.stop_waiters.take() {
            waiter.give(|waiter| drop(waiter.send(self.stopped(why))));
        }
    }

    fn close_runs(&self, why: &Error) {
        let runs: Vec<_> = self.ledgers.take().collect();
        for group in runs.chunks(Guard::GROUP) {
            let resident = group.iter().filter_map(|(_, run)| run.as_ref()).map(|run| run.key());
            self.guard.share_mark(&self.store, guard::Kind::Leave, resident, || {
                for (ledger, run) in group {
                    if let Some(run) = run {
                        self.guard.leave(&self.store, run);
                    }
                    ledger.end(Err(why.clone()));
                }
            });
        }
        self.guard.close(&self.store);
    }

    /// Tells `waiter` why the executor has stopped, as soon as it has.
    pub(crate) fn tell_when_stopped(&self, waiter: oneshot::Sender<Stopped>) {
        let waiter = Theirs::new(waiter);
        match self.failure.get() {
            Some(why) => waiter.give(|waiter| drop(waiter.send(self.stopped(why)))),
            None => {
                let is_gone = |waiter: &Theirs<_>| waiter.is(oneshot::Sender::is_canceled);
                self.stop_waiters.add(waiter, is_gone);
            }
        }
    }

    fn stopped(&self, why: &Error) -> Stopped {
        Stopped { why: why.clone(), is_in_order: self.has_ended_in_order.get() }
    }
}

/// What those who wait for a parked run are told.
pub(crate) fn parked_error(id: &str, fault: &Fault) -> Error {
    Error::of(Kind::ParkedFor(fault.reason()), format_args!("run {id:?} is parked: {fault}"))
}

/// What is said of a run whose workflow this build does not have.
pub(crate) fn unregistered(id: &str, workflow: &str) -> Error {
    let message = format_args!(
        "run {id:?} needs the workflow {workflow:?}, which is not registered: \
         add it with Builder::workflow"
    );
    Error::of(Kind::Usage, message)
}

/// What is said of an id that nobody has used.
pub(crate) fn no_such_run(id: &str) -> Error {
    Error::of(Kind::NotFound, format_args!("there is no run {id:?}: check the id, or start it"))
}

/// What is said of an id that can be none.
pub(crate) fn empty_id() -> Error {
    let message =
        "a run needs an id that is not empty: take one of your own, such as the number of an order";
    Error::of(Kind::Usage, message)
}
