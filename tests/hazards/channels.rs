//! H8: channels, oneshots and locks between the tasks of one run, from any library.
//!
//! What workflow code awaits here is fed by the run's own operations and by nothing else, so these
//! need no record: their wakes are a function of the deliveries.

use std::rc::Rc;

use async_lock::{Barrier, Semaphore};
use dacapo::sim::Sim;
use dacapo::{Ctx, Result, Task, yield_now};
use futures::channel::{mpsc, oneshot};
use futures::lock::Mutex;
use futures::{SinkExt, StreamExt};
use tokio::sync::RwLock;

use super::common::{Lines, Log, check, named, slow};

/// Spawns `program` with a simulation and a log of its own.
fn spawn<T: 'static>(
    ctx: &Ctx,
    sim: &Sim,
    log: &Log,
    program: impl AsyncFnOnce(&Ctx, &Sim, &Log) -> T + 'static,
) -> Task<T> {
    let (sim, log) = (sim.clone(), log.clone());
    ctx.spawn(async move |ctx| program(ctx, &sim, &log).await)
}

/// Two hundred messages each from three producers, through a channel that holds four.
#[test]
fn hundreds_of_messages_through_a_bounded_channel() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u64, String)> {
        let (sender, mut receiver) = mpsc::channel::<(char, u64)>(4);
        for who in ['a', 'b', 'c'] {
            let mut sender = sender.clone();
            let producer = spawn(ctx, sim, &Log::default(), async move |ctx, sim, _| {
                for n in 0..200 {
                    if n % 50 == 0 {
                        slow(ctx, sim, "produce", n).await?;
                    }
                    sender.send((who, n)).await.expect("the root receives");
                }
                Result::<()>::Ok(())
            });
            producer.detach();
        }
        drop(sender);
        let (mut sum, mut order) = (0, String::new());
        while let Some((who, n)) = receiver.next().await {
            sum += n;
            order.push(who);
            if order.len() % 100 == 0 {
                slow(ctx, sim, "save", sum).await?;
            }
        }
        Ok((sum, order))
    }
    check(0..10, 20, program, |(sum, order)| {
        assert_eq!((*sum, order.len()), (3 * 199 * 100, 600));
    });
}

#[test]
fn requests_with_oneshot_answers_over_an_unbounded_channel() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (sender, mut receiver) = mpsc::unbounded::<(u64, oneshot::Sender<u64>)>();
        let server = spawn(ctx, sim, &log, async move |ctx, sim, log| {
            while let Some((n, answer)) = receiver.next().await {
                log.line(format_args!("serve {n}"));
                let square = slow(ctx, sim, "square", n * n).await?;
                let _ = answer.send(square);
            }
            Result::<()>::Ok(())
        });
        let clients = (1..5).map(|n| {
            let sender = sender.clone();
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                let n = slow(ctx, sim, "think", n).await?;
                let (answer, answered) = oneshot::channel();
                sender.unbounded_send((n, answer)).expect("the server serves");
                let square = answered.await.expect("the server answers");
                log.line(format_args!("{n} squared is {square}"));
                Result::<()>::Ok(())
            })
        });
        let clients = Vec::from_iter(clients);
        drop(sender);
        for client in clients {
            client.await?;
        }
        server.await?;
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| {
        for n in 1..5 {
            assert!(lines.contains(&format!("{n} squared is {}", n * n)));
        }
    });
}

/// The mutex of futures hands over to whom it likes: who comes may be before those who wait. With one
/// thread and exact polls even that is the same in every replay.
#[test]
fn a_mutex_held_across_steps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, account) = (Log::default(), Rc::new(Mutex::new(0_u64)));
        let tasks = (1..5).map(|n| {
            let account = account.clone();
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                for _ in 0..2 {
                    slow(ctx, sim, "think", n).await?;
                    let mut balance = account.lock().await;
                    let after = slow(ctx, sim, "add", *balance + n).await?;
                    *balance = after;
                    log.line(format_args!("{n} makes it {after}"));
                }
                Result::<()>::Ok(())
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        log.line(*account.lock().await);
        Ok(log.lines())
    }
    check(0..40, 60, program, |lines| assert_eq!(lines.last().unwrap(), "20"));
}

#[test]
fn the_mutex_of_futures() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let turns = Rc::new(Mutex::new(Vec::new()));
        let tasks = (0..4).map(|n| {
            let turns = turns.clone();
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                slow(ctx, sim, "think", n).await?;
                let mut turns = turns.lock().await;
                turns.push(slow(ctx, sim, "take a turn", n).await?);
                log.line(format_args!("{turns:?}"));
                Result::<()>::Ok(())
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        Ok(log.lines())
    }
    check(0..60, 20, program, |lines| assert_eq!(lines.len(), 4));
}

#[test]
fn a_semaphore_a_lock_for_readers_and_a_barrier() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let permits = Rc::new(Semaphore::new(2));
        let (shared, barrier) = (Rc::new(RwLock::new(0)), Rc::new(Barrier::new(4)));
        let tasks = (0..4).map(|n| {
            let (permits, shared, barrier) = (permits.clone(), shared.clone(), barrier.clone());
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                let permit = permits.acquire().await;
                log.line(format_args!("{n} works"));
                slow(ctx, sim, "work", n).await?;
                drop(permit);
                yield_now().await;
                if n % 2 == 0 {
                    *shared.write().await += slow(ctx, sim, "change", 1).await?;
                }
                log.line(format_args!("{n} reads {}", *shared.read().await));
                let leads = barrier.wait().await.is_leader();
                log.line(format_args!("{n} leads: {leads}"));
                slow(ctx, sim, "after", n).await
            })
        });
        for task in Vec::from_iter(tasks) {
            log.line(task.await?);
        }
        Ok(log.lines())
    }
    check(0..60, 20, program, |lines| {
        assert_eq!(lines.iter().filter(|line| line.ends_with("leads: true")).count(), 1);
    });
}

/// A receiver, or one who waits for a lock, is dropped in the middle: what it was promised goes to
/// the next, in the same way in every replay.
#[test]
fn those_who_wait_for_a_lock_are_dropped() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, lock) = (Log::default(), Rc::new(Mutex::new(())));
        let tasks = (0..5).map(|n| {
            let lock = lock.clone();
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                slow(ctx, sim, "think", n).await?;
                let _held = lock.lock().await;
                log.line(format_args!("{n} has it"));
                slow(ctx, sim, "work", n).await
            })
        });
        let mut tasks = Vec::from_iter(tasks);
        for victim in [3, 1] {
            log.line(named(ctx, sim, "drop one").await?);
            drop(tasks.remove(victim));
        }
        for task in tasks {
            log.line(task.await?);
        }
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| assert!(lines.len() >= 8));
}
