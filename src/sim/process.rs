//! One simulated process over a store, from its start to its end or until it crashes.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use dacapo_executor::{join, join_all, race, yield_now};
use dacapo_store::Store;

use super::changed::key_prefix;
use super::clock::Jumps;
use super::compare::{Lines, explained, recorded_step};
use super::outside::Outside;
use super::plan::Plan;
use super::{Recorder, Sim, VirtualClock};
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::panics;
use crate::values::Value;

pub(super) struct Process<'a, I, O> {
    plan: &'a Plan<'a, I, O>,
    pub(super) executor: Executor,
    pub(super) sim: Sim,
    pub(super) recorder: Recorder,
}

/// When a process is shut down.
#[derive(Clone, Copy)]
pub(super) struct Shutdown {
    /// So much later, and so many turns behind that.
    pub(super) after: Duration,
    pub(super) turns: u64,
    pub(super) grace: Duration,
}

/// What somebody who waited for them was told of runs that ended.
pub(super) type Told<O> = BTreeMap<String, Result<O>>;

impl<'a, I: Value + Clone, O: Value> Process<'a, I, O> {
    /// A process that begins `outage` after the last one ended, and whose choices follow from `seed`.
    pub(super) fn open(
        plan: &'a Plan<'a, I, O>,
        store: Box<dyn Store>,
        outside: Rc<Outside>,
        (seed, wakes): (u64, u64),
        outage: Duration,
    ) -> Result<Self> {
        let clock = outside.begin_clock(Timestamp::from_nanos(store.time()), outage);
        let jumps = plan.check.has_clock_jumps.then(|| {
            outside.allow_jumps();
            Jumps::new(seed, &clock)
        });
        let (sim, recorder) =
            (Sim::inside(outside, seed, Some(wakes), clock.clone()), Recorder::with_attempts());
        let builder = sim.apply((plan.build)(&sim)).clock(Awaited { clock, jumps });
        // A run whose start was lost is given the same seed again.
        let builder = builder.seed(plan.seed).observer(recorder.clone());
        Ok(Self { plan, executor: builder.open_with(store)?, sim, recorder })
    }

    /// What each run has done in this process, its replay first: those that are started, their children,
    /// and what clients start.
    pub(super) fn traces(&self) -> BTreeMap<String, Lines> {
        self.recorder.traces()
    }

    /// Which runs are parked, and why: the beginning of a message.
    pub(super) fn parked(&self) -> String {
        let parked = self.executor.parked().unwrap_or_default();
        parked.iter().map(|run| format!("run {:?} is parked: {}; ", run.id, run.message)).collect()
    }

    /// Starts the runs, or attaches to them, and drives them to their ends. `false`: the store
    /// refused, or `shutdown` came before.
    pub(super) fn drive(
        &self,
        told: &mut Told<O>,
        shutdown: Option<Shutdown>,
    ) -> Result<bool, String> {
        let (ended, clients) = (RefCell::new(Told::new()), Clients::default());
        let runs = (0..).zip(&self.plan.check.runs);
        let ends = join_all(runs.map(|(index, run)| self.run(index, run, &ended)));
        let scripts = (1..).zip(&self.plan.check.clients);
        let scripts =
            join_all(scripts.map(|(number, client)| {
                clients.watch(number, client.call(&self.executor, &self.sim))
            }));
        let all = clients.unless_one_fails(join(ends, scripts));
        let shut_down = async {
            if let Some(shutdown) = shutdown {
                self.shut_down(shutdown).await;
            }
            // Those who wait for the runs are told.
            pending().await
        };
        let driven = panics::catch(|| self.executor.block_on(race(all, shut_down)));
        *told = ended.take();
        if self.executor.cuts_off_in_order() {
            self.sim.end_in_order();
        }
        let (ends, scripts) = driven.map_err(|why| self.stuck(why.message(), told, &clients))??;
        let errors = ends.into_iter().chain(scripts).filter_map(Result::err);
        match errors.max_by_key(|error| !is_the_end(error)) {
            None => Ok(true),
            Some(error) if is_the_end(&error) => {
                if error.is_closed() {
                    self.sim.end_in_order();
                }
                Ok(false)
            }
            Some(error) => Err(explained(&error)),
        }
    }

    /// Why it did not come to its end, with who it is that waits if nothing can happen any more.
    fn stuck(&self, why: &str, told: &Told<O>, clients: &Clients) -> String {
        if !why.contains(STALLED) {
            return why.into();
        }
        let runs = self.plan.check.runs.iter().filter(|(id, _)| !told.contains_key(id));
        let runs = runs.map(|(id, _)| format!("run {id:?}"));
        let clients = clients.left.borrow();
        let clients = clients.iter().map(|number| format!("client {number}"));
        let waiting: Vec<_> = runs.chain(clients).collect();
        format!("{}{STALLED}: {}", self.parked(), waiting.join(", "))
    }

    async fn shut_down(&self, Shutdown { turns, after, grace }: Shutdown) {
        self.sim.clock().sleep(after).await;
        for _ in 0..turns {
            yield_now().await;
        }
        // What came of it is told to those who wait for the runs.
        let _ = self.executor.shutdown(grace).await;
    }

    async fn run(
        &self,
        index: u64,
        (id, input): &(String, I),
        told: &RefCell<Told<O>>,
    ) -> Result<()> {
        if index > 0 {
            self.sim.latency().await;
        }
        let run = self.executor.start(self.plan.check.workflow, id, input.clone())?;
        match run.await {
            Err(error) if is_of_the_engine(&error) => Err(error),
            end => {
                told.borrow_mut().insert(id.clone(), end);
                Ok(())
            }
        }
    }

    /// No body whose outcome was recorded before this process began may have run again.
    pub(super) fn compare_effects(&self, replayed: &BTreeMap<String, Lines>) -> Result<(), String> {
        let noted = self.sim.noted();
        for (id, trace) in replayed {
            for number in trace.iter().filter_map(|event| recorded_step(event)) {
                let recorded = format!("{}{number}/", key_prefix(id));
                if let Some(key) = noted.keys().find(|key| key.starts_with(&recorded)) {
                    return Err(format!("the body of {key} ran again after its outcome"));
                }
            }
        }
        Ok(())
    }
}

const STALLED: &str = "nothing can happen any more, and these have not ended";

/// The scripts of clients while they are carried out.
#[derive(Default)]
struct Clients {
    /// The numbers of those that have not ended, from 1.
    left: RefCell<BTreeSet<usize>>,
    failed: RefCell<Option<String>>,
}

impl Clients {
    async fn watch(&self, number: usize, script: impl Future<Output = Result<()>>) -> Result<()> {
        self.left.borrow_mut().insert(number);
        let end = script.await;
        self.left.borrow_mut().remove(&number);
        if let Some(error) = end.as_ref().err().filter(|error| !is_the_end(error)) {
            let why = format!("client {number} ended with an error: {}", explained(error));
            self.failed.borrow_mut().get_or_insert(why);
        }
        end
    }

    /// What comes of all; an error as soon as one of these has failed, since nobody may do then what the
    /// others wait for.
    async fn unless_one_fails<T>(&self, all: impl Future<Output = T>) -> Result<T, String> {
        let mut all = pin!(all);
        poll_fn(|cx| match (all.as_mut().poll(cx), self.failed.take()) {
            (_, Some(why)) => Poll::Ready(Err(why)),
            (polled, None) => polled.map(Ok),
        })
        .await
    }
}

fn is_of_the_engine(error: &Error) -> bool {
    is_the_end(error) || error.is_parked()
}

/// Whether the process ended before its runs.
fn is_the_end(error: &Error) -> bool {
    error.is_store() || error.is_closed()
}

/// Virtual time in which something is waited for.
struct Awaited {
    clock: VirtualClock,
    jumps: Option<Jumps>,
}

impl Clock for Awaited {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        let skips = self.clock.skip(wait);
        assert!(skips || wait.is_some(), "{STALLED}");
        if let Some(jumps) = &self.jumps {
            jumps.at_times(&self.clock);
        }
        skips
    }
}
