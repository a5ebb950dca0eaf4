//! The simulation as its users see it: what it covers, and what it says.

mod others;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Check, Report, Sim};
use dacapo::{
    Attempt, Builder, Ctx, Error, Executor, Result, Retry, Value, Workflow, join, try_join,
};

const SUM: Workflow<u64, u64> = Workflow::new("sum");

/// Two steps at once, a night, and one more.
async fn sum(ctx: &Ctx, sim: &Sim, n: u64) -> Result<u64> {
    let part = |n: u64| {
        let sim = sim.clone();
        let add = async move |attempt: Attempt| -> Result<u64> {
            sim.note(&attempt);
            sim.latency().await;
            Ok(n)
        };
        ctx.step_with("part", add).retry(Retry::exponential(Duration::from_millis(5)))
    };
    let (a, b) = join(part(n), part(2 * n)).await;
    ctx.sleep(Duration::from_secs(8 * 3_600)).await;
    Ok(a? + b? + part(4 * n).await?)
}

fn build<I: Value, O: Value>(
    workflow: Workflow<I, O>,
    program: impl AsyncFn(&Ctx, &Sim, I) -> Result<O> + Copy + 'static,
) -> impl Fn(&Sim) -> Builder {
    move |sim| {
        let sim = sim.clone();
        let body = async move |ctx: &Ctx, input| program(ctx, &sim, input).await;
        Executor::builder().workflow(workflow, body)
    }
}

/// What the simulation says of a workflow that it fails.
fn failure<I: Value + Clone, O: Value>(
    check: Check<I, O>,
    build: impl Fn(&Sim) -> Builder,
    expect: impl Fn(&O),
) -> String {
    let run = AssertUnwindSafe(|| check.run(build, expect));
    *catch_unwind(run).expect_err("it fails").downcast().expect("its message has particulars")
}

#[test]
fn every_fault_there_is() {
    let check = || sim::check(SUM).start("a", 1).start("b", 10).seeds(0..6);
    let expect = |ends: &sim::Ends<u64>| {
        assert_eq!((*ends.of("a").as_ref().unwrap(), *ends.of("b").as_ref().unwrap()), (7, 70));
        // Each part of each run had an effect, in whichever process.
        assert_eq!(ends.sim().effects().len(), 6);
    };
    let plain = check().run_all(build(SUM, sum), expect);
    assert_eq!((plain.runs, plain.storage_faults), (12, 0));
    assert!(plain.crashes >= 30 && plain.restarts >= plain.crashes, "{plain}");
    let looped = check().crash_loops().run_all(build(SUM, sum), expect);
    assert!(looped.crashes > plain.crashes + 6 && looped.replays > plain.replays, "{looped}");
    let report = check().crash_loops().disk_faults().run_all(build(SUM, sum), expect);
    super::coverage::add(&format!("programs=1 {report}"));
    assert!(report.storage_faults > 300, "{report}");
    assert!(report.distinct_traces > looped.distinct_traces, "{report}");
}

#[test]
fn the_same_seeds_cover_the_same() {
    let check = || sim::check(SUM).start("a", 1).seeds(5..9).crash_loops();
    let report = |check: Check<u64, u64>| -> Report { check.run(build(SUM, sum), |_| ()) };
    assert_eq!(report(check()), report(check()));
}

const SHIP: Workflow<u32, String> = Workflow::new("ship");

/// The mistake: what the body weighs comes back beside its outcome.
async fn ship(ctx: &Ctx, _sim: &Sim, kilos: u32) -> Result<String> {
    let weight = Rc::new(Cell::new(0));
    let scales = weight.clone();
    ctx.step("weigh", async move || -> Result<()> {
        scales.set(kilos);
        Ok(())
    })
    .await?;
    let service = if weight.get() > 20 { "freight" } else { "post" };
    ctx.step(service, async move || Ok::<_, Error>(service.to_owned())).await
}

/// Where the step stands that differs.
const SHIPPED: u32 = line!() - 4;

/// The documentation shows what a failure looks like: this.
#[test]
fn a_failure_shows_both_sides_and_what_to_change() {
    let shown = failure(sim::check(SHIP).start("ship-1", 30), build(SHIP, ship), |_| ());
    // There the code is in a file of its own.
    let shown = shown.replace(&format!(", at {}:{SHIPPED};", file!()), ", at src/ship.rs:11;");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/simulation.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    assert!(page.contains(&format!("```text\n{shown}\n```")), "{shown}");
}

#[test]
fn a_wrong_output_is_told_with_its_seed_and_trace() {
    let check = sim::check(SUM).start("a", 1).seeds(3..5);
    let shown = failure(check, build(SUM, sum), |sum| assert_eq!(*sum, 8, "the sum"));
    assert!(shown.starts_with("seed 3, without a crash: "), "{shown}");
    assert!(shown.contains("the sum") && shown.contains("deliver 0: start of workflow"), "{shown}");
    assert!(shown.ends_with("To see this failure alone: .seeds(3..4)"), "{shown}");
}

/// The mistake: the output holds what the replay does not know, and all else is the same.
#[test]
fn another_output_is_told_with_the_trace() {
    const WEIGH: Workflow<u32, u32> = Workflow::new("weigh");
    async fn weigh(ctx: &Ctx, _sim: &Sim, kilos: u32) -> Result<u32> {
        let weight = Rc::new(Cell::new(0));
        let scales = weight.clone();
        ctx.step("weigh", async move || -> Result<()> {
            scales.set(kilos);
            Ok(())
        })
        .await?;
        Ok(weight.get())
    }
    let shown = failure(sim::check(WEIGH).start("w", 30), build(WEIGH, weigh), |_| ());
    assert!(shown.contains("another output"), "{shown}");
    assert!(shown.contains("Both did\n  deliver 0: start of workflow \"weigh\""), "{shown}");
}

/// The mistake: a bank that does not look at the key.
#[test]
fn an_effect_that_a_retry_makes_twice_is_seen_outside() {
    const PAY: Workflow<u64, ()> = Workflow::new("pay");
    async fn pay(ctx: &Ctx, sim: &Sim, cents: u64) -> Result<()> {
        let bank = sim.outside::<Cell<u64>>();
        let charge = async move |attempt: Attempt| {
            bank.set(bank.get() + cents);
            if attempt.number() < 3 { Err(Error::new("the answer was lost")) } else { Ok(()) }
        };
        let retry = Retry::exponential(Duration::from_secs(1));
        ctx.step_with("charge", charge).retry(retry).await
    }
    let run = AssertUnwindSafe(|| {
        let expect = |ends: &sim::Ends<()>| assert_eq!(ends.sim().outside::<Cell<u64>>().get(), 5);
        sim::check(PAY).start("p", 5).run_all(build(PAY, pay), expect)
    });
    let shown = catch_unwind(run).expect_err("it charges three times");
    let shown: String = *shown.downcast().expect("its message has particulars");
    assert!(shown.contains("outcome of step 1 \"charge\", after 3 attempts"), "{shown}");
    assert!(shown.contains("give `Attempt::key` to what lies outside"), "{shown}");
}

/// It works until a crash makes it begin a second time.
#[test]
fn a_failure_after_a_crash_names_the_commit() {
    const ONCE: Workflow<(), u32> = Workflow::new("once");
    async fn once(ctx: &Ctx, _sim: &Sim, (): ()) -> Result<u32> {
        let begin = async move |attempt: Attempt| Ok::<_, Error>(attempt.number());
        ctx.step_with("begin", begin).await
    }
    let check = sim::check(ONCE).start("once-1", ());
    let shown = failure(check, build(ONCE, once), |attempt| assert_eq!(*attempt, 1));
    assert!(shown.contains(", crashed right "), "{shown}");
    assert!(shown.contains("interruption of step 1"), "{shown}");
}

#[test]
fn a_run_that_ends_with_an_error_or_goes_on_and_on() {
    const FAIL: Workflow<(), ()> = Workflow::new("fail");
    async fn fail(_ctx: &Ctx, _sim: &Sim, (): ()) -> Result<()> {
        Err(Error::new("no tea"))
    }
    let shown = failure(sim::check(FAIL).start("f", ()), build(FAIL, fail), |()| ());
    assert!(shown.contains(r#"run "f" ended with an error: no tea"#), "{shown}");

    const LOOP: Workflow<(), ()> = Workflow::new("loop");
    async fn forever(ctx: &Ctx, _sim: &Sim, (): ()) -> Result<()> {
        loop {
            ctx.sleep(Duration::from_secs(3_600)).await;
        }
    }
    let shown = failure(sim::check(LOOP).start("l", ()), build(LOOP, forever), |()| ());
    assert!(shown.contains("the runs go on and on, and do not end"), "{}", &shown[..200]);
}

const TURNS: Workflow<(), Vec<String>> = Workflow::new("turns");

/// Two branches take a lock in turns, one of them four times, with a step of two milliseconds under it.
macro_rules! turns {
    ($ctx:ident, $sim:ident, $lock:expr) => {{
        let (lock, order) = ($lock, RefCell::new(Vec::new()));
        let branch = async |who: &'static str, times: u32| -> Result<()> {
            for n in 0..times {
                let _held = lock.lock().await;
                let clock = $sim.clock().clone();
                let turn = async move || -> Result<String> {
                    clock.sleep(Duration::from_millis(2)).await;
                    Ok(format!("{who}{n}"))
                };
                let turn = $ctx.step("turn", turn).await?;
                order.borrow_mut().push(turn);
            }
            Ok(())
        };
        try_join(branch("a", 4), branch("b", 1)).await?;
        Ok(order.into_inner())
    }};
}

/// The mistake: the lock lets those go first who have waited for more than half a millisecond.
#[test]
fn what_a_clock_decides_is_found_in_every_check() {
    async fn turns(ctx: &Ctx, sim: &Sim, (): ()) -> Result<Vec<String>> {
        turns!(ctx, sim, async_lock::Mutex::new(()))
    }
    for seed in 0..5 {
        let check = sim::check(TURNS).start("t", ()).seeds(seed..seed + 1);
        let shown = failure(check, build(TURNS, turns), |_| ());
        assert!(shown.contains("This is decided by a clock"), "{shown}");
        assert!(shown.contains("async_lock::Mutex"), "{shown}");
    }
}

#[test]
fn locks_that_look_at_no_clock_are_the_same_at_every_pace() {
    async fn of_tokio(ctx: &Ctx, sim: &Sim, (): ()) -> Result<Vec<String>> {
        turns!(ctx, sim, tokio::sync::Mutex::new(()))
    }
    async fn of_futures(ctx: &Ctx, sim: &Sim, (): ()) -> Result<Vec<String>> {
        turns!(ctx, sim, futures::lock::Mutex::new(()))
    }
    let check = || sim::check(TURNS).start("t", ());
    check().run(build(TURNS, of_tokio), |turns| assert_eq!(turns.len(), 5));
    check().run(build(TURNS, of_futures), |turns| assert_eq!(turns.len(), 5));
}

/// The mistake: a workflow measures how long something took.
#[test]
fn a_clock_that_is_read_by_the_workflow_is_found() {
    const WATCH: Workflow<(), bool> = Workflow::new("watch");
    async fn watch(ctx: &Ctx, _sim: &Sim, (): ()) -> Result<bool> {
        let begin = std::time::Instant::now();
        ctx.step("work", async || Ok::<_, Error>(())).await?;
        let was_slow = begin.elapsed() > Duration::from_millis(1);
        ctx.step(if was_slow { "complain" } else { "praise" }, async || Ok::<_, Error>(())).await?;
        Ok(was_slow)
    }
    let shown = failure(sim::check(WATCH).start("w", ()), build(WATCH, watch), |_| ());
    assert!(shown.contains("This is decided by a clock"), "{shown}");
}
