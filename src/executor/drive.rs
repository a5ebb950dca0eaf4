//! The main loop: turns of bodies, commits, and the wait for more.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use dacapo_executor::raw::Guest;

use super::{Executor, Shared};
use crate::engine::Engine;
use crate::heartbeat::Place;
use crate::panics::{self, Caller};

/// What came of a turn.
enum Turn {
    /// Something happened: there may be more.
    Busy,
    /// Nothing can happen for so long, or before something outside does.
    Idle(Option<Duration>),
}

/// No wait is longer: the wall clock may be set forward, or the machine be suspended, and what is due
/// by then is to be noticed.
#[cfg(feature = "std")]
const LONGEST_WAIT: Duration = Duration::from_secs(2);

impl Executor {
    /// Drives all runs on this thread until `main` is ready, and parks the thread when nothing can
    /// go on.
    ///
    /// `main` is a task like any other: it has its turn among the bodies. What bodies have
    /// brought forth by the time it is ready is committed before this returns; the runs go on
    /// with the next call. If the store fails, `main` goes on, and no run does: see
    /// [`failed`](Self::failed).
    ///
    /// # Panics
    ///
    /// Panics if the executor is being driven already, and if `main` panics.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert_eq!(executor.block_on(async { 7 }), 7);
    /// ```
    #[cfg(feature = "std")]
    pub fn block_on<T>(&self, main: impl Future<Output = T>) -> T {
        let _driven = self.begin_to_drive();
        let mut main = pin!(main);
        let guest = self.shared.engine.world.bodies.raw().guest();
        let parker = dacapo_executor::raw::Parker::new();
        let waker = parker.waker();
        loop {
            let mut output = None;
            let mut poll =
                |cx: &mut Context<'_>| main.as_mut().poll(cx).map(|value| output = Some(value));
            let turn = self.turn(&guest, &mut poll);
            if let Some(output) = output {
                return output;
            }
            match turn {
                Turn::Idle(wait) if self.sleeps(wait, &waker) => match wait {
                    Some(wait) => parker.park_timeout(wait.min(LONGEST_WAIT)),
                    None => parker.park(),
                },
                Turn::Busy | Turn::Idle(_) => {}
            }
        }
    }

    /// Drives all runs inside any other runtime until `main` is ready. If the store fails, `main` goes
    /// on, and no run does: see [`failed`](Self::failed).
    ///
    /// It gives the runtime a turn after each of its own. With `std` a thread that sleeps most of
    /// its life wakes it for timers; without, see [`next_wait`](Self::next_wait). Inside
    /// tokio, run it under `tokio::task::unconstrained`: tokio's cooperative budget is an input
    /// that no history holds.
    ///
    /// # Panics
    ///
    /// Panics if the executor is being driven already, and if `main` panics.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing: the runs stand still until the executor is driven again.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let main = executor.run(async { 7 });
    /// assert_eq!(futures::executor::block_on(main), 7);
    /// ```
    pub async fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let _driven = self.begin_to_drive();
        let mut main = pin!(main);
        let guest = self.shared.engine.world.bodies.raw().guest();
        #[cfg(feature = "std")]
        let mut timer = super::timer_thread::TimerThread::default();
        poll_fn(|cx| {
            let mut output = None;
            let mut poll =
                |cx: &mut Context<'_>| main.as_mut().poll(cx).map(|value| output = Some(value));
            let turn = self.turn(&guest, &mut poll);
            if let Some(output) = output {
                return Poll::Ready(output);
            }
            match turn {
                Turn::Idle(wait) if self.sleeps(wait, cx.waker()) => {
                    #[cfg(feature = "std")]
                    timer.set(wait.map(|wait| wait.min(LONGEST_WAIT)), &self.shared.notifier);
                }
                Turn::Busy | Turn::Idle(_) => cx.waker().wake_by_ref(),
            }
            Poll::Pending
        })
        .await
    }
}

impl Executor {
    /// A turn, of which word is left for other threads.
    fn turn(&self, main: &Guest, poll_main: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Turn {
        let world = &self.shared.engine.world;
        if !world.pulse.is_on() {
            return self.take_turn(main, poll_main);
        }
        let turn = self.take_turn(main, &mut |cx| {
            world.pulse.polls_main();
            poll_main(cx)
        });
        self.shared.engine.beat();
        world.pulse.at(Place::Waiting);
        turn
    }

    /// One round of bodies, the main future among them, and a commit of what came of it.
    fn take_turn(
        &self,
        main: &Guest,
        poll_main: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> Turn {
        let engine = &self.shared.engine;
        if engine.has_waited.take() {
            engine.wake();
        }
        engine.tell_figures();
        engine.world.pulse.at(Place::Turn);
        let mut is_busy = self.carry_out_commands();
        for _ in 0..engine.world.polls_per_turn() {
            if engine.world.pending.borrow().outcomes.len() >= Engine::OUTCOMES_PER_COMMIT {
                break;
            }
            is_busy |= engine.world.bodies.raw().tick_with(main, poll_main);
        }
        engine.world.advance();
        engine.world.pulse.at(Place::Commit);
        engine.retain();
        // What stopped the executor is told to everybody who waits; the main future goes on.
        let has_stopped = |failure| {
            engine.close(&failure);
            false
        };
        let has_committed = engine.commit().unwrap_or_else(has_stopped);
        is_busy |= has_committed;
        engine.end_in_order(has_committed).unwrap_or_else(|failure| engine.close(&failure));
        if is_busy {
            engine.note_busy();
            return Turn::Busy;
        }
        match engine.rest().unwrap_or_else(has_stopped) {
            true => Turn::Busy,
            false => Turn::Idle(engine.wait()),
        }
    }

    fn begin_to_drive(&self) -> Driven<'_> {
        assert!(
            !self.shared.is_driven.get(),
            "the executor is driven already: await handles in its main future"
        );
        // A workflow that is resumed or rehearsed, an observer, a clock, a transaction, the input function of
        // a schedule: what it calls would be polled in the midst of that.
        assert!(
            self.shared.engine.caller() == Caller::Outside,
            "the executor is not driven from where it calls itself"
        );
        self.shared.is_driven.set(true);
        let engine = &self.shared.engine;
        engine.load.drive(engine.world.timers.monotonic());
        Driven(&self.shared)
    }

    /// Does what other threads asked for by now; whether there was anything. What they ask for
    /// meanwhile waits for the next turn, or they could keep the runs from theirs.
    #[inline(always)]
    pub(super) fn carry_out_commands(&self) -> bool {
        let has_any = !self.shared.commands.is_empty();
        if has_any {
            self.carry_out_those_there_are();
        }
        has_any
    }

    #[cold]
    fn carry_out_those_there_are(&self) {
        let commands = &self.shared.commands;
        (0..commands.len())
            .map_while(|_| commands.take())
            .for_each(|command| panics::aside(|| command(self)));
    }

    /// Whether to wait for `waker`: nothing happened meanwhile, and the clock does not skip ahead.
    fn sleeps(&self, wait: Option<Duration>, waker: &Waker) -> bool {
        let (world, commands) = (&self.shared.engine.world, &self.shared.commands);
        world.bodies.raw().register(waker);
        let notifier = &self.shared.notifier;
        world.gate.register(notifier);
        commands.register(notifier);
        world.reports.register(notifier);
        let is_quiet = !world.bodies.has_ready() && !world.gate.has_foreign_wakes();
        self.shared.engine.has_waited.set(true);
        let is_empty = commands.is_empty() && world.reports.is_empty();
        let sleeps = is_quiet && is_empty && !world.skips(wait);
        if sleeps {
            self.shared.engine.load.sleep(world.timers.monotonic());
        }
        sleeps
    }
}

/// The mark of a loop that drives the executor.
struct Driven<'a>(&'a Shared);

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        let Shared { is_driven, engine, .. } = self.0;
        is_driven.set(false);
        // It may be dropped while it sleeps.
        engine.load.wake(|| engine.world.timers.monotonic());
        engine.world.pulse.at(Place::NotDriven);
        if !panics::is_unwinding() {
            // Nobody else counts before it is driven again.
            engine.world.pulse.count_soon();
            engine.beat();
        }
    }
}
