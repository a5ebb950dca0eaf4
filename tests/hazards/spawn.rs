//! H2: tasks that run steps: awaited in any order, detached, dropped, nested.

use std::cell::Cell;
use std::rc::Rc;

use dacapo::sim::Sim;
use dacapo::{Ctx, Result, Task, yield_now};
use futures::FutureExt;
use futures::channel::oneshot;

use super::common::{Lines, Log, check, ms, named, slow, two_steps};

/// A task of two steps.
fn worker(ctx: &Ctx, sim: &Sim, log: &Log, who: &'static str) -> Task<Result<String>> {
    let (sim, log) = (sim.clone(), log.clone());
    ctx.spawn(async move |ctx| two_steps(ctx, &sim, &log, who).await)
}

#[test]
fn tasks_awaited_in_reverse_order() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, Lines)> {
        let log = Log::default();
        let mut tasks = ["a", "b", "c"].map(|who| worker(ctx, sim, &log, who)).into_iter();
        let mut ends = Lines::new();
        while let Some(task) = tasks.next_back() {
            ends.push(task.await?);
            log.line(slow(ctx, sim, "between", "root".to_owned()).await?);
        }
        Ok((log.lines(), ends))
    }
    check(0..50, 40, program, |(_, ends)| assert_eq!(ends, &["c1 c2", "b1 b2", "a1 a2"]));
}

#[test]
fn detached_tasks_go_on_until_the_root_ends() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for who in ["a", "b", "c"] {
            worker(ctx, sim, &log, who).detach();
        }
        log.line(named(ctx, sim, "root").await?);
        ctx.sleep(ms(40)).await;
        Ok(log.lines())
    }
    check(0..60, 30, program, |lines| assert!(lines.contains(&"root".to_owned())));
}

#[test]
fn the_result_of_a_detached_task_comes_through_a_channel() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, u64)> {
        let log = Log::default();
        let (sender, receiver) = oneshot::channel();
        let (sim_there, log_there) = (sim.clone(), log.clone());
        let task = ctx.spawn(async move |ctx| {
            let n = slow(ctx, &sim_there, "count", 4).await;
            log_there.line("counted");
            let _ = sender.send(n);
        });
        task.detach();
        log.line(named(ctx, sim, "beside").await?);
        let n = receiver.await.expect("the task sends")?;
        Ok((log.lines(), n))
    }
    check(0..40, 2, program, |(_, n)| assert_eq!(*n, 4));
}

/// A dropped task does nothing more, wherever it is: its step, its body, its child tasks.
#[test]
fn dropped_tasks_stop_where_they_are() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let kept = worker(ctx, sim, &log, "k");
        let (sim_there, log_there) = (sim.clone(), log.clone());
        let dropped = ctx.spawn(async move |ctx| {
            let _child = worker(ctx, &sim_there, &log_there, "x");
            two_steps(ctx, &sim_there, &log_there, "y").await
        });
        let root = named(ctx, sim, "root").await?;
        drop(dropped);
        log.line(root);
        log.line(kept.await?);
        ctx.sleep(ms(100)).await;
        Ok(log.lines())
    }
    check(0..80, 30, program, |lines| {
        let after = lines.iter().skip_while(|line| *line != "root");
        let undead: Vec<_> = after.filter(|line| line.contains(['x', 'y'])).collect();
        assert!(undead.is_empty(), "{undead:?} in {lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("k1 k2"));
    });
}

#[test]
fn tasks_that_spawn_tasks() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(Lines, Lines)> {
        let log = Log::default();
        let nest = |who: &'static str, inner: &'static str| {
            let (sim, log) = (sim.clone(), log.clone());
            ctx.spawn(async move |ctx| -> Result<String> {
                let early = worker(ctx, &sim, &log, inner);
                let own = slow(ctx, &sim, "own", who.to_owned()).await?;
                log.line(&own);
                // The number of this task follows from the order of the spawns, and so from the
                // order of completions, which the history holds.
                let late = worker(ctx, &sim, &log, who);
                Ok(format!("{own} {} {}", late.await?, early.await?))
            })
        };
        let (left, right) = (nest("a", "b"), nest("c", "d"));
        let ends = vec![right.await?, left.await?];
        Ok((log.lines(), ends))
    }
    let ends = ["c c1 c2 d1 d2", "a a1 a2 b1 b2"];
    check(0..50, 50, program, |output| assert_eq!(output.1, ends));
}

#[test]
fn a_task_is_asked_now_and_then_whether_it_is_done() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<(u32, Lines)> {
        let log = Log::default();
        let mut task = worker(ctx, sim, &log, "a");
        let mut asked = 0;
        let end = loop {
            if let Some(end) = (&mut task).now_or_never() {
                break end?;
            }
            asked += 1;
            log.line(slow(ctx, sim, "tick", "tick".to_owned()).await?);
            yield_now().await;
        };
        log.line(end);
        Ok((asked, log.lines()))
    }
    check(0..60, 10, program, |(asked, lines)| assert_eq!(lines.len(), 3 + *asked as usize));
}

/// A task that drops its own handle finishes the poll that it is in, and that was all.
#[test]
fn a_task_that_drops_its_own_handle() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let (log, handle) = (Log::default(), Rc::new(Cell::new(None)));
        let (sim_there, log_there, own) = (sim.clone(), log.clone(), handle.clone());
        let task = ctx.spawn(async move |ctx| -> Result<()> {
            log_there.line(named(ctx, &sim_there, "first").await?);
            let pending = named(ctx, &sim_there, "built");
            drop::<Option<Task<Result<()>>>>(own.take());
            log_there.line("still here");
            log_there.line(pending.await?);
            Ok(())
        });
        handle.set(Some(task));
        for _ in 0..3 {
            log.line(named(ctx, sim, "root").await?);
        }
        ctx.sleep(ms(100)).await;
        Ok(log.lines())
    }
    check(0..60, 4, program, |lines| {
        let own: Vec<_> = lines.iter().filter(|line| *line != "root").collect();
        // After a long outage the sleep may end before the task's first step.
        assert!(own == ["first", "still here"] || own.is_empty(), "{lines:?}");
    });
}
