//! H11: operations that are never dropped: forgotten, or held by a cycle of `Rc`s.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::Sim;
use dacapo::store::Store;
use dacapo::{Ctx, Executor, Result, Step, yield_now};
use futures::FutureExt;

use super::common::{Process, RUN, build, check, hazard, ms, named};

/// A step and a sleep are polled and forgotten; the run ends before they do.
async fn forgets(ctx: &Ctx, sim: &Sim) -> Result<String> {
    let there = sim.clone();
    let mut step = ctx.step("forgotten", async move || -> Result<u32> {
        there.clock().sleep(ms(50)).await;
        Ok(1)
    });
    let mut sleep = ctx.sleep(ms(40));
    assert!((&mut step).now_or_never().is_none());
    assert!((&mut sleep).now_or_never().is_none());
    std::mem::forget((step, sleep));
    named(ctx, sim, "last").await
}

#[test]
fn the_run_ends_with_forgotten_operations_in_flight() {
    check(0..20, 1, forgets, |last| assert_eq!(last, "last"));
}

/// Its history ends with its end, whatever becomes of what it leaked.
#[test]
fn nothing_is_recorded_after_the_end_of_a_run_that_leaked() {
    // What was leaked is ready before, with and after the end, and in the turns between the end and
    // its commit.
    for (body_ms, nap_ms, turns) in [(0, 0, 0), (5, 5, 0), (5, 5, 1), (5, 5, 2), (50, 40, 0)] {
        let done = Rc::new(Cell::new(0));
        let build = |sim: &Sim| {
            let (sim, done) = (sim.clone(), done.clone());
            Executor::builder().workflow(hazard::<u32>(), async move |ctx: &Ctx, ()| {
                let (there, done) = (sim.clone(), done.clone());
                let mut step = ctx.step("leaked", async move || -> Result<u32> {
                    there.clock().sleep(ms(body_ms)).await;
                    for _ in 0..turns {
                        yield_now().await;
                    }
                    done.set(done.get() + 1);
                    Ok(1)
                });
                let mut sleep = ctx.sleep(ms(nap_ms));
                let _ = ((&mut step).now_or_never(), (&mut sleep).now_or_never());
                std::mem::forget((step, sleep));
                let there = sim.clone();
                ctx.step("last", async move || -> Result<u32> {
                    there.clock().sleep(ms(5)).await;
                    Ok(2)
                })
                .await
            })
        };
        let process = Process::open(0, Default::default(), Duration::ZERO, build);
        assert_eq!(process.finish::<u32>().unwrap(), 2);
        let before = done.get();
        process.executor.block_on(process.sim.clock().sleep(ms(1_000)));
        assert_eq!(done.get(), before, "the body of an ended run goes on");

        let stored = process.store.now();
        let row = stored.find(RUN).unwrap().expect("it is stored");
        let places = stored.history(row.key).unwrap().len();
        process.executor.verify(RUN).unwrap();
        let again = Process::open(0, stored, Duration::ZERO, build);
        assert_eq!(again.finish::<u32>().unwrap(), 2, "{places} records");
    }
}

/// A step in a cycle lives as long as the process: its body ends with the run all the same.
#[test]
fn a_step_in_a_cycle() {
    struct Node {
        step: RefCell<Option<Step<String>>>,
        _me: RefCell<Option<Rc<Node>>>,
    }
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let node = Rc::new(Node { step: RefCell::default(), _me: RefCell::default() });
        let mut step = named(ctx, sim, "in a cycle");
        let _ = (&mut step).now_or_never();
        *node.step.borrow_mut() = Some(step);
        *node._me.borrow_mut() = Some(node.clone());
        named(ctx, sim, "last").await
    }
    check(0..42, 1, program, |last| assert_eq!(last, "last"));
    let live = Process::new(0, program);
    live.finish::<String>().unwrap();
    live.executor.block_on(live.sim.clock().sleep(ms(1_000)));
    let again = Process::open(0, live.store.now(), Duration::ZERO, |sim| build(sim, program));
    assert_eq!(again.finish::<String>().unwrap(), "last");
}
