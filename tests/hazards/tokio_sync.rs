//! H8: `tokio::sync` between the tasks of one run.
//!
//! Outside of tokio these have no budget. Inside, after 128 operations in one poll they would be
//! pending without a reason that any history holds, so there the executor runs unconstrained.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use dacapo::sim::Sim;
use dacapo::{Ctx, Executor, ParkReason, Result, Task};
use tokio::sync::{Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};

use super::common::{Lines, Log, Process, RUN, build, check, hazard, slow};

fn spawn<T: 'static>(
    ctx: &Ctx,
    sim: &Sim,
    log: &Log,
    program: impl AsyncFnOnce(&Ctx, &Sim, &Log) -> T + 'static,
) -> Task<T> {
    let (sim, log) = (sim.clone(), log.clone());
    ctx.spawn(async move |ctx| program(ctx, &sim, &log).await)
}

/// Three producers of `each` messages, through a channel that holds eight.
async fn produce(ctx: &Ctx, sim: &Sim, each: u64) -> Result<(u64, String)> {
    let (sender, mut receiver) = mpsc::channel::<(char, u64)>(8);
    for who in ['a', 'b', 'c'] {
        let sender = sender.clone();
        let producer = spawn(ctx, sim, &Log::default(), async move |ctx, sim, _| {
            for n in 0..each {
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
    while let Some((who, n)) = receiver.recv().await {
        sum += n;
        order.push(who);
        if order.len() % 100 == 0 {
            slow(ctx, sim, "save", sum).await?;
        }
    }
    Ok((sum, order))
}

#[test]
fn hundreds_of_messages_outside_of_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u64, String)> {
        produce(ctx, sim, 200).await
    }
    check(0..10, 20, program, |(sum, order)| {
        assert_eq!((*sum, order.len()), (3 * 199 * 100, 600));
    });
}

/// Inside tokio, unconstrained, the same run polls as it does outside: the history that was made
/// there is verified poll for poll by a process that knows no tokio.
#[test]
fn hundreds_of_messages_inside_of_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u64, String)> {
        produce(ctx, sim, 500).await
    }
    for seed in 0..5 {
        let inside = Process::new(seed, program);
        let run = inside.executor.start(hazard::<(u64, String)>(), RUN, ()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let driven = tokio::task::unconstrained(inside.executor.run(run));
        let (sum, order) = runtime.block_on(driven).unwrap();
        assert_eq!((sum, order.len()), (3 * 499 * 250, 1_500));

        let outside =
            Process::open(0, inside.store.now(), Default::default(), |sim| build(sim, program));
        outside.executor.verify(RUN).unwrap();
        assert_eq!(inside.trace(), outside.trace());
    }
}

/// Inside tokio without that, its budget runs out in the middle of a poll, and tokio wakes the task
/// when nothing is delivered to the run: it is parked, never wrong, and goes on elsewhere.
#[test]
fn tokio_s_budget_parks_a_run() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u64, String)> {
        produce(ctx, sim, 500).await
    }
    let mut parked = 0;
    for seed in 0..20 {
        let inside = Process::new(seed, program);
        let run = inside.executor.start(hazard::<(u64, String)>(), RUN, ()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let end = runtime.block_on(inside.executor.run(run));
        let outside =
            Process::open(seed, inside.store.now(), Default::default(), |sim| build(sim, program));
        if let Err(error) = end {
            assert!(error.is_parked(), "{error}");
            let reason = inside.executor.parked().unwrap()[0].reason;
            assert_eq!(reason, ParkReason::ForeignWake);
            outside.executor.resume(RUN).unwrap();
            parked += 1;
        }
        let (sum, order): (u64, String) = outside.finish().unwrap();
        assert_eq!((sum, order.len()), (3 * 499 * 250, 1_500));
        outside.executor.verify(RUN).unwrap();
    }
    println!("{parked} of 20 runs were parked");
    assert!(parked > 0);
}

#[test]
fn a_mutex_held_across_steps_and_a_semaphore() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (account, permits) = (Arc::new(Mutex::new(0_u64)), Arc::new(Semaphore::new(5)));
        let tasks = (1..5).map(|n| {
            let (account, permits) = (account.clone(), permits.clone());
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                slow(ctx, sim, "come", n).await?;
                let wanted = (n as u32).min(2);
                let permit = permits.acquire_many(wanted).await.expect("it is never closed");
                slow(ctx, sim, "think", n).await?;
                drop(permit);
                let mut balance = account.lock().await;
                *balance = slow(ctx, sim, "add", *balance + n).await?;
                log.line(format_args!("{n} makes it {balance}"));
                Result::<()>::Ok(())
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        Ok(log.lines())
    }
    check(0..40, 15, program, |lines| assert!(lines.last().unwrap().ends_with(" it 10")));
}

#[test]
fn notify_wakes_in_the_order_of_waiting() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, notify) = (Log::default(), Rc::new(Notify::new()));
        let tasks = (0..4).map(|n| {
            let notify = notify.clone();
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                slow(ctx, sim, "think", n).await?;
                log.line(format_args!("{n} waits"));
                notify.notified().await;
                log.line(format_args!("{n} goes on"));
                slow(ctx, sim, "after", n).await
            })
        });
        let tasks = Vec::from_iter(tasks);
        for n in 0..4 {
            slow(ctx, sim, "pause", n).await?;
            log.line("notify");
            notify.notify_one();
        }
        while log.lines().iter().filter(|line| line.ends_with("waits")).count() < 4 {
            slow(ctx, sim, "look", 0).await?;
        }
        notify.notify_waiters();
        notify.notify_one();
        for task in tasks {
            log.line(task.await?);
        }
        Ok(log.lines())
    }
    check(0..40, 60, program, |lines| {
        let who = |end: &str| {
            let lines = lines.iter().filter_map(|line| line.strip_suffix(end));
            Vec::from_iter(lines.map(str::to_owned))
        };
        assert_eq!(who(" waits").len(), 4);
        assert_eq!(who(" goes on").len(), 4);
    });
}

/// One task alone waits for the watch: tokio wakes several in random order (see `random`).
#[test]
fn a_watch_a_broadcast_and_a_oneshot() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (news, _) = broadcast::channel(16);
        let (stage, mut stages) = watch::channel(0);
        let (first, is_first) = oneshot::channel();
        let first = Rc::new(Cell::new(Some(first)));
        let tasks = (1..4).map(|n| {
            let (first, mut news, stage) = (first.clone(), news.subscribe(), stage.clone());
            spawn(ctx, sim, &log, async move |ctx, sim, log| {
                let done = slow(ctx, sim, "work", n).await?;
                if let Some(first) = first.take() {
                    first.send(n).expect("the root waits");
                }
                stage.send_modify(|sum| *sum += done);
                log.line(format_args!("{n} hears {}", news.recv().await.expect("it is sent")));
                Result::<()>::Ok(())
            })
        });
        let tasks = Vec::from_iter(tasks);
        log.line(format_args!("{} is first", is_first.await.expect("one is first")));
        while *stages.borrow_and_update() < 6 {
            stages.changed().await.expect("the root keeps a sender");
            log.line(format_args!("at {}", *stages.borrow()));
        }
        news.send(slow(ctx, sim, "news", 7).await?).expect("there are listeners");
        for task in tasks {
            task.await?;
        }
        Ok(log.lines())
    }
    check(0..60, 6, program, |lines| assert!(lines.contains(&"3 hears 7".to_owned())));
}

/// The executor is a guest of tokio's runtime: nothing of it needs tokio's timers.
#[test]
fn an_executor_inside_of_tokio_needs_no_driver() {
    let executor = Executor::builder()
        .workflow(hazard::<u8>(), async |ctx: &Ctx, ()| {
            ctx.step("one", async || Result::<u8>::Ok(1)).await
        })
        .in_memory();
    let run = executor.start(hazard::<u8>(), "one", ()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(tokio::task::unconstrained(executor.run(run))).unwrap(), 1);
}
