use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Sim};
use dacapo::{
    Attempt, Builder, Ctx, Error, Executor, Limit, Result, Retry, Workflow, try_join_all,
};

const CALLS: Workflow<u32, u32> = Workflow::new("calls");
const ONE: Limit = Limit::new("provider", 1);
const TWO: Limit = Limit::new("provider", 2);
const MS: Duration = Duration::from_millis(1);

/// The last attempt of each step, by key, over all processes; and how many of these there were.
#[derive(Default)]
struct Attempts {
    last: RefCell<BTreeMap<String, u32>>,
    processes: Cell<u32>,
}

#[derive(Clone, Copy)]
struct How {
    limit: Limit,
    at_most_once: bool,
    fails_first: bool,
}

async fn calls(ctx: &Ctx, sim: &Sim, at_once: &Rc<Cell<usize>>, how: How, n: u32) -> Result<u32> {
    let call = |place: u32| {
        let (sim, at_once) = (sim.clone(), at_once.clone());
        let body = async move |attempt: Attempt| {
            sim.note(&attempt);
            let attempts = sim.outside::<Attempts>();
            attempts.last.borrow_mut().insert(attempt.key().to_owned(), attempt.number());
            at_once.set(at_once.get() + 1);
            assert!(at_once.get() <= how.limit.concurrency(), "{} at once", at_once.get());
            sim.latency().await;
            at_once.set(at_once.get() - 1);
            match how.fails_first && attempt.number() == 1 {
                true => Err(Error::new("no answer")),
                false => Ok(place),
            }
        };
        let step = ctx.step_with("call", body).limit(how.limit);
        match how.at_most_once {
            true => step.at_most_once(),
            false => step.retry(Retry::exponential(MS).max_attempts(20)),
        }
    };
    if how.at_most_once {
        let mut done = 0;
        for place in 0..n {
            // At most one of all is cut off.
            done += u32::from(call(place).await.is_ok());
        }
        return Ok(done);
    }
    Ok(try_join_all((0..n).map(call)).await?.iter().sum())
}

fn build(sim: &Sim, how: How) -> Builder {
    let (sim, at_once) = (sim.clone(), Rc::<Cell<usize>>::default());
    let processes = sim.outside::<Attempts>();
    processes.processes.set(processes.processes.get() + 1);
    Executor::builder()
        .workflow(CALLS, async move |ctx: &Ctx, n| calls(ctx, &sim, &at_once, how, n).await)
}

/// Never more at once than the limit, over runs and attempts; and of all that waited when the process ended
/// those have lost an attempt that were under way, and no other.
#[test]
fn attempts_share_room_and_waiting_takes_none() {
    for limit in [ONE, TWO] {
        let how = How { limit, at_most_once: false, fails_first: false };
        let check = sim::check(CALLS).start("a", 4).start("b", 3);
        let report = check.seeds(0..20).run_all(
            |sim| build(sim, how),
            |ends| {
                assert_eq!(
                    (ends.of("a").as_ref().ok(), ends.of("b").as_ref().ok()),
                    (Some(&6), Some(&3))
                );
                let attempts = ends.sim().outside::<Attempts>();
                let lost: u32 = attempts.last.borrow().values().map(|number| number - 1).sum();
                assert!(lost as usize <= limit.concurrency(), "{:?}", attempts.last.borrow());
            },
        );
        assert!(report.distinct_traces > 10, "{report:?}");
    }
}

/// Room is given back while a step waits for its next attempt, and taken again.
#[test]
fn each_attempt_takes_room_anew() {
    let how = How { limit: ONE, at_most_once: false, fails_first: true };
    let check = sim::check(CALLS).start("a", 3).start("b", 2);
    check.seeds(0..15).crash_loops().run(|sim| build(sim, how), |_| {});
}

/// What may run at most once, and only waited for room when the process ended, begins later.
#[test]
fn what_runs_at_most_once_waits_for_room() {
    let how = How { limit: ONE, at_most_once: true, fails_first: false };
    let check = sim::check(CALLS).start("a", 2).start("b", 2).start("c", 2);
    check.seeds(0..20).run_all(
        |sim| build(sim, how),
        |ends| {
            let done: u32 = ends.iter().map(|(_, end)| *end.as_ref().expect("none fails")).sum();
            let processes = ends.sim().outside::<Attempts>().processes.get();
            assert!(done + processes > 6, "{done} of 6: {processes} - 1 were under way at most");
        },
    );
}
