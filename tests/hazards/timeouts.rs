//! H9: timeouts around joins, channels, locks and tasks; many timers due together after an outage.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use dacapo::sim::{Sim, VirtualClock};
use dacapo::{Attempt, Ctx, Elapsed, Result, Step, Timestamp, join, join_all};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::lock::Mutex;

use crate::coverage;

use super::common::{Lines, Log, Process, RUN, build, check, hazard, ms, named, slow, two_steps};

#[test]
fn timeouts_around_a_join_a_task_and_a_channel() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let both = join(two_steps(ctx, sim, &log, "a"), two_steps(ctx, sim, &log, "b"));
        let both = ctx.timeout(ms(60), both).await.map(|_| "joined");
        log.line(both.unwrap_or("not joined"));
        let (sender, mut receiver) = mpsc::channel(1);
        let (sim_there, log_there) = (sim.clone(), log.clone());
        let task = ctx.spawn(async move |ctx| {
            let mut sender = sender;
            for n in 0..4 {
                let n = slow(ctx, &sim_there, "produce", n).await?;
                log_there.line(format_args!("produced {n}"));
                let _ = sender.try_send(n);
            }
            Result::<()>::Ok(())
        });
        loop {
            match ctx.timeout(ms(20), receiver.next()).await {
                Ok(Some(n)) => log.line(format_args!("received {n}")),
                Ok(None) => break,
                Err(elapsed) => log.line(elapsed),
            }
        }
        let ended = ctx.timeout(ms(1), task).await;
        log.line(ended.map_or_else(|elapsed| elapsed.to_string(), |end| format!("{end:?}")));
        Ok(log.lines())
    }
    check(0..60, 60, program, |lines| assert_eq!(lines.last().unwrap(), "Ok(())"));
}

#[test]
fn a_timeout_around_a_lock_and_within_a_timeout() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, lock) = (Log::default(), Rc::new(Mutex::new(())));
        let tasks = (0..4).map(|n| {
            let (sim, log, lock) = (sim.clone(), log.clone(), lock.clone());
            ctx.spawn(async move |ctx| -> Result<()> {
                slow(ctx, &sim, "think", n).await?;
                let work = async {
                    let _held = ctx.timeout(ms(30), lock.lock()).await?;
                    log.line(format_args!("{n} has it"));
                    Result::<_, Elapsed>::Ok(slow(ctx, &sim, "work", n).await)
                };
                match ctx.timeout(ms(50), work).await {
                    Ok(Ok(done)) => log.line(format_args!("{n} is done: {done:?}")),
                    Ok(Err(elapsed)) => log.line(format_args!("{n}: the lock is {elapsed}")),
                    Err(elapsed) => log.line(format_args!("{n}: the work is {elapsed}")),
                }
                Ok(())
            })
        });
        for task in Vec::from_iter(tasks) {
            task.await?;
        }
        Ok(log.lines())
    }
    let outputs = check(0..60, 60, program, |lines| assert!(lines.len() >= 4));
    let lines = BTreeSet::from_iter(outputs.into_iter().flatten());
    for end in ["is done", "the lock is not ready", "the work is not ready"] {
        assert!(lines.iter().any(|line| line.contains(end)), "never: {end}");
    }
}

#[test]
fn timers_that_are_due_together_fire_by_deadline_and_number() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<u64>> {
        let log = std::cell::RefCell::new(Vec::new());
        let naps = [30, 10, 20, 10, 30, 10].into_iter().zip(0..).map(|(millis, n)| {
            let nap = ctx.sleep(ms(millis));
            let log = &log;
            async move {
                nap.await;
                log.borrow_mut().push(n);
            }
        });
        let work = async {
            for n in 10..13 {
                let n = slow(ctx, sim, "work", n).await?;
                log.borrow_mut().push(n);
            }
            Result::<()>::Ok(())
        };
        join(join_all(naps), work).await.1?;
        Ok(log.into_inner())
    }
    check(0..60, 10, program, |order| {
        let naps = order.iter().filter(|n| **n < 10);
        assert!(naps.eq(&[1, 3, 5, 2, 0, 4]), "{order:?}");
    });
}

/// A step that takes two days of virtual time; whoever waits for it gives up after hours.
fn endless(ctx: &Ctx, sim: &Sim, n: u64) -> Step<u64> {
    let sim = sim.clone();
    ctx.step_with("endless", async move |attempt: Attempt| -> Result<u64> {
        sim.note(&attempt);
        sim.clock().sleep(Duration::from_secs(172_800)).await;
        Ok(n)
    })
}

/// Forty limits of a few hours each, and a step after each that passes.
async fn overdue(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
    let log = Log::default();
    let branches = (0..40).map(async |n: u64| {
        let limit = Duration::from_secs(3_600 * (1 + n % 5));
        if n.is_multiple_of(4) {
            named(ctx, sim, "before").await?;
        }
        let late = ctx.timeout(limit, endless(ctx, sim, n)).await;
        log.line(format_args!("{n}: {}", late.expect_err("it takes days")));
        named(ctx, sim, "after").await
    });
    join_all(branches).await.into_iter().collect::<Result<Lines>>()?;
    Ok(log.lines())
}

/// After an outage of a month nobody begins what is overdue: the timers are recorded and delivered
/// first, by deadline and number, and the bodies that they end are not started.
#[test]
fn bodies_that_are_overdue_after_a_long_outage_are_not_started() {
    const MONTH: Duration = Duration::from_secs(30 * 86_400);
    let (mut restarts, mut overdue_bodies, mut orders) = (0, 0, BTreeSet::new());
    for seed in 0..6 {
        let live = Process::new(seed, overdue);
        let lines: Lines = live.finish().unwrap();
        orders.insert(lines);
        for stored in live.store.take() {
            let again = Process::open(seed, stored, MONTH, |sim| build(sim, overdue));
            // What is asked for at this point was overdue before the process was there.
            let asked = again.trace();
            let lines: Lines = again.finish().unwrap();
            let noted = again.sim.noted();
            for number in asked.iter().filter_map(|line| {
                let line = line.strip_prefix("ask step ")?;
                line.strip_suffix(" \"endless\"")
            }) {
                let key = format!("{}/{number}/endless", RUN);
                assert!(!noted.contains_key(&key), "step {number} was overdue, and began");
                overdue_bodies += 1;
            }
            assert_eq!(lines.len(), 40);
            if asked.is_empty() {
                continue; // It had ended.
            }
            orders.insert(lines);
            restarts += 1;

            let verified = Process::open(0, again.store.now(), MONTH, |sim| build(sim, overdue));
            verified.executor.verify(RUN).unwrap();
            assert_eq!(verified.trace(), again.trace());
        }
    }
    coverage::add(&format!("restarts={restarts} replays={restarts}"));
    println!("{restarts} outages, {overdue_bodies} bodies overdue, {} orders", orders.len());
    assert!(overdue_bodies > 1_000 && orders.len() > 1);
}

/// A clock that is set back, by an hour or to the start of time, does not set a run's time back:
/// neither `now`, nor what it sleeps.
#[test]
fn a_clock_that_goes_back_between_two_processes() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Vec<SystemTime>> {
        let mut times = vec![ctx.now()];
        for n in 0..4 {
            slow(ctx, sim, "work", n).await?;
            times.push(ctx.now());
            ctx.sleep(Duration::from_secs(60)).await;
            times.push(ctx.now());
        }
        Ok(times)
    }
    for seed in 0..10 {
        let live = Process::new(seed, program);
        live.finish::<Vec<SystemTime>>().unwrap();
        for stored in live.store.take() {
            let (sim, store) = (Sim::new(seed, VirtualClock::new(Timestamp::default())), stored);
            let builder = build(&sim, program).clock(sim.clock().clone());
            let executor = builder.open_with(store).unwrap();
            let run = executor.start(hazard::<Vec<SystemTime>>(), RUN, ()).unwrap();
            let times = executor.block_on(run).unwrap();
            assert!(times.is_sorted(), "{times:?}");
            let naps = times[1..].chunks_exact(2);
            for nap in naps {
                assert!(nap[1].duration_since(nap[0]).unwrap() >= Duration::from_secs(60));
            }
        }
    }
}
