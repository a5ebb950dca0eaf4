//! H17: a panic in a body, in a task, in the root. One attempt fails, or one run is parked.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::Sim;
use dacapo::{Attempt, Builder, Ctx, Executor, ParkReason, Result, Retry, Workflow, join};

use super::common::{Lines, Log, Process, check, ms, named, slow};

const EVERY_MS: Retry = Retry::exponential(Duration::from_millis(1)).max_attempts(3);

#[test]
fn a_panic_in_a_body_is_a_failed_attempt_and_its_neighbours_go_on() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let flaky = |good_from: u32| {
            let sim = sim.clone();
            ctx.step_with("flaky", async move |attempt: Attempt| -> Result<u32> {
                sim.latency().await;
                assert!(attempt.number() >= good_from, "attempt {} fails", attempt.number());
                Ok(good_from)
            })
        };
        let both = join(flaky(2).retry(EVERY_MS), slow(ctx, sim, "beside", 1));
        let (flaky_end, beside) = both.await;
        log.line(flaky_end? + beside?);
        let (hopeless, beside) = join(flaky(100), slow(ctx, sim, "beside", 2)).await;
        let error = hopeless.expect_err("it is tried once");
        assert!(error.is_panic());
        log.line(error);
        log.line(beside?);
        let error = flaky(100).retry(EVERY_MS).await.expect_err("it is tried three times");
        // A restart in the middle counts as an attempt, so how often it says is another matter.
        log.line(error.is_panic());
        Ok(log.lines())
    }
    let expect = |lines: &Lines| {
        assert_eq!(lines[0], "3");
        assert!(lines[1].starts_with(r#"step 3 "flaky" failed"#), "{}", lines[1]);
        assert!(lines[1].ends_with("fails"), "{}", lines[1]);
        assert_eq!(lines[2..], ["2", "true"]);
    };
    check(0..20, 1, program, expect);
}

const BAD: Workflow<(), String> = Workflow::new("bad");
const GOOD: Workflow<(), u64> = Workflow::new("good");

/// Where the bad run panics.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Root,
    Task,
    /// A task that nobody awaits.
    DetachedTask,
    /// A branch of a join, beside one that waits.
    Branch,
    /// The mended build.
    Nowhere,
}

async fn bad(ctx: &Ctx, sim: &Sim, place: Place) -> Result<String> {
    let fall = move |here| assert!(place != here, "falls in the {here:?}");
    let first = named(ctx, sim, "first").await?;
    fall(Place::Root);
    let task = ctx.spawn(async move |ctx| {
        ctx.sleep(ms(1)).await;
        fall(Place::Task);
    });
    let detached = ctx.spawn(async move |ctx| {
        ctx.sleep(ms(1)).await;
        fall(Place::DetachedTask);
    });
    detached.detach();
    task.await;
    let beside = async {
        ctx.sleep(ms(1)).await;
        fall(Place::Branch);
    };
    let (last, ()) = join(named(ctx, sim, "last"), beside).await;
    ctx.sleep(ms(10)).await;
    Ok(first + &last?)
}

async fn good(ctx: &Ctx, sim: &Sim) -> Result<u64> {
    let mut sum = 0;
    for n in 0..10 {
        sum += slow(ctx, sim, "add", n).await?;
        ctx.sleep(ms(3)).await;
    }
    Ok(sum)
}

fn both(sim: &Sim, place: Place) -> Builder {
    let (sim, other) = (sim.clone(), sim.clone());
    Executor::builder()
        .workflow(BAD, async move |ctx: &Ctx, ()| bad(ctx, &sim, place).await)
        .workflow(GOOD, async move |ctx: &Ctx, ()| good(ctx, &other).await)
}

#[test]
fn a_panic_in_workflow_code_parks_one_run_and_a_mended_build_resumes_it() {
    for place in [Place::Root, Place::Task, Place::DetachedTask, Place::Branch] {
        for seed in 0..10 {
            let fresh = Default::default();
            let process = Process::open(seed, fresh, Duration::ZERO, |sim| both(sim, place));
            let executor = &process.executor;
            let fallen = executor.start(BAD, "fallen", ()).unwrap();
            let others = ["a", "b"].map(|id| executor.start(GOOD, id, ()).unwrap());
            let [a, b] = others;
            let (fallen, a, b) = executor.block_on(async { futures::join!(fallen, a, b) });
            assert_eq!((a.unwrap(), b.unwrap()), (45, 45));
            assert!(fallen.unwrap_err().is_parked());
            let parked = executor.parked().unwrap();
            assert_eq!(parked.len(), 1);
            assert_eq!((&parked[0].id[..], parked[0].reason), ("fallen", ParkReason::Panicked));
            let said = format!("falls in the {place:?}");
            assert!(parked[0].message.contains(&said), "{}", parked[0].message);

            let stored = process.store.now();
            drop(process);
            let open =
                |stored, place| Process::open(seed, stored, Duration::ZERO, |sim| both(sim, place));
            let again = open(stored, place);
            assert!(again.trace().is_empty(), "open does not try a parked run again");
            assert!(again.executor.resume("fallen").is_err_and(|error| error.is_parked()));

            let mended = open(again.store.now(), Place::Nowhere);
            mended.executor.resume("fallen").unwrap();
            let run = mended.executor.attach(BAD, "fallen").unwrap();
            assert_eq!(mended.executor.block_on(run).unwrap(), "firstlast");
            assert!(mended.executor.parked().unwrap().is_empty());
            mended.executor.verify("fallen").unwrap();
        }
    }
}

/// What a parked run had in flight is dropped with it, and no body goes on.
#[test]
fn the_bodies_of_a_parked_run_are_dropped() {
    let (dropped, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    struct Count(Rc<Cell<u32>>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let build = |sim: &Sim| {
        let (dropped, done, sim) = (dropped.clone(), done.clone(), sim.clone());
        Executor::builder().workflow(BAD, async move |ctx: &Ctx, ()| {
            for _ in 0..3 {
                let (sim, done, count) = (sim.clone(), done.clone(), Count(dropped.clone()));
                let body = async move || -> Result<()> {
                    let _kept = &count;
                    sim.clock().sleep(ms(50)).await;
                    done.set(done.get() + 1);
                    Ok(())
                };
                let step = ctx.step("long", body);
                ctx.spawn(async move |_| step.await).detach();
            }
            ctx.sleep(ms(10)).await;
            assert!(dropped.get() > 3, "it falls");
            Result::<String>::Ok(String::new())
        })
    };
    let process = Process::open(0, Default::default(), Duration::ZERO, build);
    let run = process.executor.start(BAD, "fallen", ()).unwrap();
    assert!(process.executor.block_on(run).unwrap_err().is_parked());
    assert_eq!(dropped.get(), 3);
    process.executor.block_on(process.sim.clock().sleep(ms(1_000)));
    assert_eq!((dropped.get(), done.get()), (3, 0));
}
