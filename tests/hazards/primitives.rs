//! H8, library by library: what docs/determinism.md says of the primitives of futures, tokio, async-lock,
//! async-channel, event-listener, smol and flume. Those of tokio are in `tokio_sync`, what chance decides
//! is in `random`, and what a clock decides in the tests of the simulation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use dacapo::sim::Sim;
use dacapo::store::MemoryStore;
use dacapo::{Ctx, Executor, ParkReason, Result, join, race, try_join_all};
use futures::future::{pending, poll_fn};

use super::common::{Lines, Log, Process, RUN, build, check, hazard, ms, slow};

/// Two tasks send six messages each, and two compete for them.
macro_rules! compete {
    ($ctx:ident, $sim:ident, $channel:expr, $send:ident, $receive:ident) => {{
        let (log, (sender, receiver)) = (Log::default(), $channel);
        let producers = ["a", "b"].map(|who| {
            let (sender, sim) = (sender.clone(), $sim.clone());
            $ctx.spawn(async move |ctx| {
                for n in 0..6 {
                    let what = slow(ctx, &sim, "produce", format!("{who}{n}")).await?;
                    sender.$send(what).await.expect("somebody receives");
                }
                Result::<()>::Ok(())
            })
        });
        drop(sender);
        let consumers = ["x", "y"].map(|who| {
            let (receiver, sim, log) = (receiver.clone(), $sim.clone(), log.clone());
            $ctx.spawn(async move |ctx| {
                while let Ok(what) = receiver.$receive().await {
                    log.line(format_args!("{who} has {what}"));
                    slow(ctx, &sim, "consume", what).await?;
                }
                Result::<()>::Ok(())
            })
        });
        drop(receiver);
        for task in producers.into_iter().chain(consumers) {
            task.await?;
        }
        Ok(log.lines())
    }};
}

#[test]
fn consumers_compete_for_a_channel_of_async_channel() {
    async fn narrow(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        compete!(ctx, sim, async_channel::bounded(1), send, recv)
    }
    async fn wide(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        compete!(ctx, sim, smol::channel::unbounded(), send, recv)
    }
    check(0..20, 20, narrow, |lines| assert_eq!(lines.len(), 12));
    check(0..20, 20, wide, |lines| assert_eq!(lines.len(), 12));
}

#[test]
fn consumers_compete_for_a_channel_of_flume() {
    async fn rendezvous(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        compete!(ctx, sim, flume::bounded(0), send_async, recv_async)
    }
    async fn narrow(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        compete!(ctx, sim, flume::bounded(2), send_async, recv_async)
    }
    async fn wide(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        compete!(ctx, sim, flume::unbounded(), send_async, recv_async)
    }
    check(0..20, 20, rendezvous, |lines| assert_eq!(lines.len(), 12));
    check(0..20, 20, narrow, |lines| assert_eq!(lines.len(), 12));
    check(0..20, 20, wide, |lines| assert_eq!(lines.len(), 12));
}

/// Five tasks come at some time, and take what `$take` makes of what they share in turns.
macro_rules! take_turns {
    ($ctx:ident, $sim:ident, $shared:expr, |$each:ident| $take:expr) => {{
        let (log, shared) = (Log::default(), Rc::new($shared));
        let tasks = (0..5).map(|n| {
            let ($each, sim, log) = (shared.clone(), $sim.clone(), log.clone());
            $ctx.spawn(async move |ctx| {
                for turn in 0..2 {
                    slow(ctx, &sim, "come", n).await?;
                    let held = $take;
                    log.line(format_args!("{n} has turn {turn}"));
                    slow(ctx, &sim, "hold", n).await?;
                    drop(held);
                }
                Result::<()>::Ok(())
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        Ok(log.lines())
    }};
}

#[test]
fn turns_under_locks_and_semaphores() {
    async fn of_futures(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        take_turns!(ctx, sim, futures::lock::Mutex::new(()), |lock| lock.lock().await)
    }
    async fn of_tokio(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        take_turns!(ctx, sim, tokio::sync::Mutex::new(()), |lock| lock.lock().await)
    }
    async fn permits_of_tokio(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        take_turns!(ctx, sim, tokio::sync::Semaphore::new(2), |permits| permits.acquire().await)
    }
    async fn permits_of_async_lock(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        take_turns!(ctx, sim, async_lock::Semaphore::new(2), |permits| permits.acquire().await)
    }
    check(0..20, 20, of_futures, |lines| assert_eq!(lines.len(), 10));
    check(0..20, 20, of_tokio, |lines| assert_eq!(lines.len(), 10));
    check(0..20, 20, permits_of_tokio, |lines| assert_eq!(lines.len(), 10));
    check(0..20, 20, permits_of_async_lock, |lines| assert_eq!(lines.len(), 10));
}

/// A writer, three readers who wait for it, and a writer behind them; all do a step with the lock.
macro_rules! read_and_write {
    ($ctx:ident, $sim:ident, $lock:expr) => {{
        let (log, lock) = (Log::default(), Rc::new($lock));
        let tasks = ["writes", "reads", "reads", "reads", "writes"].map(|does| {
            let (lock, sim, log) = (lock.clone(), $sim.clone(), log.clone());
            $ctx.spawn(async move |ctx| {
                let (read, written) = match does {
                    "reads" => (Some(lock.read().await), None),
                    _ => (None, Some(lock.write().await)),
                };
                log.line(format_args!("{does}"));
                slow(ctx, &sim, "hold", does.to_owned()).await?;
                drop((read, written));
                Result::<()>::Ok(())
            })
        });
        for task in tasks {
            task.await?;
        }
        Ok(log.lines())
    }};
}

#[test]
fn readers_and_writers_of_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        read_and_write!(ctx, sim, tokio::sync::RwLock::new(()))
    }
    check(0..20, 1, program, |lines| assert_eq!(lines.len(), 5));
}

/// The first reader has the lock, and the writer behind waits for it. The other readers wake each other
/// meanwhile, so there is no end to what one delivery leads to.
#[test]
fn readers_of_async_lock_wake_each_other_for_ever() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        read_and_write!(ctx, sim, async_lock::RwLock::new(()))
    }
    let process = Process::open(0, MemoryStore::new(), Duration::ZERO, |sim| {
        build(sim, program).poll_budget(10_000)
    });
    let error = process.finish::<Lines>().expect_err("it is parked");
    assert_eq!(error.park_reason(), Some(ParkReason::LiveLock));
}

/// The same on the executor of the library's authors: it is at work for as long as the reader reads.
#[test]
fn readers_of_async_lock_wake_each_other_on_any_executor() {
    let lock = async_lock::RwLock::new(());
    let executor = async_executor::LocalExecutor::new();
    let written = lock.try_write().expect("nobody has it");
    for _ in 0..3 {
        let read = async {
            let _read = lock.read().await;
            pending::<()>().await;
        };
        executor.spawn(read).detach();
    }
    let write = async {
        lock.write().await;
    };
    executor.spawn(write).detach();
    while executor.try_tick() {}
    drop(written);
    assert!((0..100_000).all(|_| executor.try_tick()));
}

#[test]
fn an_event_wakes_in_the_order_of_listening() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, event) = (Log::default(), Rc::new(event_listener::Event::new()));
        let tasks = (0..4).map(|n| {
            let (event, sim, log) = (event.clone(), sim.clone(), log.clone());
            ctx.spawn(async move |ctx| {
                slow(ctx, &sim, "come", n).await?;
                let listener = event.listen();
                log.line(format_args!("{n} listens"));
                listener.await;
                log.line(format_args!("{n} heard"));
                slow(ctx, &sim, "after", n).await
            })
        });
        let tasks = Vec::from_iter(tasks);
        while log.lines().iter().filter(|line| line.ends_with("listens")).count() < 4 {
            slow(ctx, sim, "look", 0).await?;
        }
        event.notify(1);
        slow(ctx, sim, "one", 0).await?;
        event.notify(usize::MAX);
        for task in tasks {
            log.line(task.await?);
        }
        Ok(log.lines())
    }
    check(0..40, 20, program, |lines| {
        let who = |end| lines.iter().filter_map(move |line| line.strip_suffix(end));
        assert!(who(" heard").eq(who(" listens")), "{lines:?}");
    });
}

#[test]
fn a_barrier_of_async_lock() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, barrier) = (Log::default(), Rc::new(async_lock::Barrier::new(4)));
        let tasks = (0..4).map(|n| {
            let (barrier, sim, log) = (barrier.clone(), sim.clone(), log.clone());
            ctx.spawn(async move |ctx| {
                slow(ctx, &sim, "come", n).await?;
                let leads = barrier.wait().await.is_leader();
                log.line(format_args!("{n} leads: {leads}"));
                slow(ctx, &sim, "after", n).await
            })
        });
        for task in Vec::from_iter(tasks) {
            log.line(task.await?);
        }
        Ok(log.lines())
    }
    check(0..40, 10, program, |lines| {
        assert_eq!(lines.iter().filter(|line| line.ends_with("leads: true")).count(), 1);
    });
}

/// Who comes first makes the value, and the others wait for it.
#[test]
fn cells_that_are_filled_once() {
    macro_rules! fill {
        ($ctx:ident, $sim:ident, $cell:expr) => {{
            let cell = $cell;
            let branch = async |n: u64| {
                slow($ctx, $sim, "come", n).await?;
                let fill = async || slow($ctx, $sim, "fill", n).await;
                let filled: Result<u64> = cell.get_or_try_init(fill).await.copied();
                filled
            };
            try_join_all((0..4).map(branch)).await
        }};
    }
    async fn of_tokio(ctx: &Ctx, sim: &Sim) -> Result<Vec<u64>> {
        fill!(ctx, sim, tokio::sync::OnceCell::new())
    }
    async fn of_async_lock(ctx: &Ctx, sim: &Sim) -> Result<Vec<u64>> {
        fill!(ctx, sim, async_lock::OnceCell::new())
    }
    check(0..20, 3, of_tokio, |seen| assert_eq!(*seen, [seen[0]; 4]));
    check(0..20, 3, of_async_lock, |seen| assert_eq!(*seen, [seen[0]; 4]));
}

/// What of smol's and futures' combinators is not fair has an order of its own.
#[test]
fn the_combinators_of_smol_that_have_an_order() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u64, u64, u64)> {
        let first = smol::future::or(slow(ctx, sim, "a", 1), slow(ctx, sim, "b", 2)).await?;
        let at_once = smol::future::or(async { 1 }, async { 2 }).await;
        let (left, right) = smol::future::zip(slow(ctx, sim, "c", first), async { at_once }).await;
        Ok((first, left?, right))
    }
    let seen = check(0..20, 2, program, |(_, _, at_once)| assert_eq!(*at_once, 1));
    assert_eq!(seen.len(), 2);
}

/// An `AtomicWaker`, as libraries build theirs on it, and a flag.
#[test]
fn an_atomic_waker_of_futures() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<u64> {
        let (waker, flag) = (futures::task::AtomicWaker::new(), Cell::new(0));
        let waits = poll_fn(|cx| {
            waker.register(cx.waker());
            if flag.get() > 0 { Poll::Ready(flag.get()) } else { Poll::Pending }
        });
        let sets = async {
            flag.set(slow(ctx, sim, "set", 7).await?);
            waker.wake();
            Result::<()>::Ok(())
        };
        let (seen, set) = join(waits, sets).await;
        set.map(|()| seen)
    }
    check(0..10, 1, program, |seen| assert_eq!(*seen, 7));
}

/// A timer of another runtime wakes when nothing is delivered.
#[test]
fn timers_of_smol_and_tokio_park_the_run() {
    fn parked<F: Future>(timer: impl Fn(Duration) -> F + Copy + 'static) -> Option<ParkReason> {
        let program = async move |ctx: &Ctx, ()| -> Result<()> {
            let timer = async {
                timer(ms(1)).await;
            };
            // Something of its own is awaited too, so it is no stall.
            race(timer, ctx.sleep(Duration::from_secs(3_600))).await;
            Ok(())
        };
        let executor = Executor::builder().workflow(hazard(), program).in_memory();
        let run = executor.start(hazard::<()>(), RUN, ()).unwrap();
        executor.block_on(run).unwrap_err().park_reason()
    }
    assert_eq!(parked(smol::Timer::after), Some(ParkReason::ForeignWake));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().unwrap();
    let _entered = runtime.enter();
    assert_eq!(parked(tokio::time::sleep), Some(ParkReason::ForeignWake));
}

/// Locks that nobody waits for across an await have no order.
#[test]
fn a_std_lock_between_two_awaits() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (lines, cell) = (std::sync::Mutex::new(Lines::new()), RefCell::new(0));
        let branch = async |n: u64| -> Result<()> {
            for turn in 0..3 {
                let line = slow(ctx, sim, "turn", format!("{n}.{turn}")).await?;
                lines.lock().unwrap().push(line);
                *cell.borrow_mut() += 1;
            }
            Ok(())
        };
        try_join_all((0..3).map(branch)).await?;
        assert_eq!(cell.into_inner(), 9);
        Ok(lines.into_inner().unwrap())
    }
    check(0..20, 18, program, |lines| assert_eq!(lines.len(), 9));
}
