//! A deployment that parks what it meets, and the one after it.

use dacapo::store::MemoryStore;
use dacapo::{Builder, Channel, Ctx, Error, Executor, ParkReason, Result, Workflow};

use super::{Told, history, open};

const ORDER: Workflow<u32, u32> = Workflow::new("order");
const CENTS: Channel<u32> = Channel::new("cents");

const RUNS: usize = 34;

async fn order(ctx: &Ctx, step: &'static str, n: u32) -> Result<u32> {
    let paid = ctx.step(step, async move || Ok::<_, Error>(n)).await?;
    Ok(paid + ctx.receive(CENTS).await)
}

/// The build that works.
fn good() -> Builder {
    Executor::builder().workflow(ORDER, async |ctx: &Ctx, n| order(ctx, "pay", n).await)
}

/// One that asks for something else.
fn bad() -> Builder {
    Executor::builder().workflow(ORDER, async |ctx: &Ctx, n| order(ctx, "charge", n).await)
}

/// One that cannot read what was recorded.
fn illegible() -> Builder {
    const TEXT: Workflow<u32, String> = Workflow::new("order");
    Executor::builder().workflow(TEXT, async |ctx: &Ctx, _| {
        let paid = ctx.step("pay", async || Ok::<_, Error>(String::new())).await?;
        Ok::<_, Error>(paid)
    })
}

fn id(n: usize) -> String {
    format!("order-{n}")
}

/// Runs in flight: each has its first outcome, and waits for a message.
fn in_flight(build: Builder) -> MemoryStore {
    let (executor, store) = open(build, MemoryStore::new());
    for n in 0..RUNS {
        let _started = executor.start(ORDER, &id(n), 7).expect("it is new");
    }
    executor.block_on(async {
        for _ in 0..10 {
            dacapo::yield_now().await;
        }
    });
    assert_eq!(history(&store.now(), "order-33").len(), 2, "a start and an outcome");
    store.now()
}

/// Opens the store with a build, and gives it as it is after that. So many runs must be parked.
#[track_caller]
fn deploy(build: Builder, stored: MemoryStore, parked: usize) -> (Executor, MemoryStore) {
    let (executor, store) = open(build, stored);
    executor.block_on(dacapo::yield_now());
    assert_eq!(executor.parked().expect("memory can be read").len(), parked);
    (executor, store.now())
}

fn all_end(executor: &Executor) {
    for n in 0..RUNS {
        executor.block_on(executor.send(&id(n), CENTS, 1)).expect("it goes on");
        let run = executor.attach(ORDER, &id(n)).expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 8);
    }
}

#[test]
fn a_rollback_takes_up_what_a_bad_deployment_parked() {
    for (bad, reason) in
        [(bad as fn() -> Builder, ParkReason::Diverged), (illegible, ParkReason::Undecodable)]
    {
        let (executor, stored) =
            deploy(bad().build_id("1.1"), in_flight(good().build_id("1.0")), RUNS);
        let parked = executor.parked().expect("memory can be read").swap_remove(7);
        assert_eq!((parked.reason, parked.build.as_deref()), (reason, Some("1.1")));
        let end =
            r#"; parked by build "1.1": one with another `Builder::build_id` tries by itself"#;
        assert!(parked.message.ends_with(end), "{}", parked.message);
        let error = executor.block_on(executor.attach(ORDER, "order-7").expect("it is there"));
        assert!(error.expect_err("it is parked").to_string().ends_with(end));
        drop(executor);

        let told = Told::default();
        let (executor, _) = deploy(good().build_id("1.0").observer(told.clone()), stored, 0);
        let resumed = told.0.borrow().iter().filter(|told| told.ends_with("is resumed")).count();
        assert_eq!(resumed, RUNS);
        all_end(&executor);
    }
}

/// Each build tries once. What it parked itself it does not try again.
#[test]
fn a_build_tries_once() {
    let tries = |builder: Builder, stored, parked| {
        let told = Told::default();
        let (executor, stored) = deploy(builder.observer(told.clone()), stored, parked);
        drop(executor);
        let tries = told.0.borrow().iter().filter(|told| told.contains("is parked")).count();
        (tries, stored)
    };
    let (tried, stored) = tries(bad().build_id("1.1"), in_flight(good()), RUNS);
    assert_eq!(tried, RUNS);
    let (tried, stored) = tries(bad().build_id("1.1"), stored, RUNS);
    assert_eq!(tried, 0, "it has parked them itself");
    let (tried, stored) = tries(bad().build_id("1.2"), stored, RUNS);
    assert_eq!(tried, RUNS, "it is another build");
    let (tried, stored) = tries(bad().build_id("1.2"), stored, RUNS);
    assert_eq!(tried, 0);
    let (tried, stored) = tries(bad().build_id("1.1"), stored, RUNS);
    assert_eq!(tried, RUNS, "the last one was 1.2");
    all_end(&deploy(good().build_id("1.0"), stored, 0).0);
}

/// As ever: somebody resumes them. What builds without an id have parked, one with an id tries.
#[test]
fn without_an_id_nothing_changes_by_itself() {
    let (executor, stored) = deploy(bad(), in_flight(good()), RUNS);
    let parked = executor.parked().expect("memory can be read").swap_remove(0);
    assert_eq!(parked.build, None);
    assert!(parked.message.ends_with("then call `Executor::resume`"), "{}", parked.message);
    drop(executor);
    let (executor, stored) = deploy(good(), stored, RUNS);
    drop(executor);
    let (executor, stored) = deploy(bad().build_id("1.1"), stored, RUNS);
    drop(executor);
    let (executor, stored) = deploy(good(), stored, RUNS);
    drop(executor);
    all_end(&deploy(good().build_id("1.0"), stored, 0).0);
}

/// What is wrong with the run itself, another build does not touch; nor one that is held.
#[test]
fn other_reasons_and_other_runs_are_let_be() {
    let panics = Executor::builder().workflow(ORDER, async |ctx: &Ctx, n| {
        assert_ne!(ctx.id(), "order-0", "a bug");
        order(ctx, "pay", n).await
    });
    let stored = in_flight(panics.build_id("1.0"));
    let (executor, stored) = deploy(bad().build_id("1.1"), stored, RUNS);
    drop(executor);
    let (executor, _) = deploy(good().build_id("1.2").hold("order-1"), stored, 2);
    let parked = executor.parked().expect("memory can be read");
    let parked = parked.iter().map(|run| (&*run.id, run.reason)).collect::<Vec<_>>();
    let expected = [("order-0", ParkReason::Panicked), ("order-1", ParkReason::Diverged)];
    assert_eq!(parked, expected);
}
