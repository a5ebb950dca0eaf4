//! Runs that failed and are taken up again, and steps that park their runs in place of failing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{history, open, open_at, refusing_one_read};
use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, ParkReason, Result, Retry, Start, Timestamp,
    Topic, Workflow, join, try_join,
};

const ORDER: Workflow<u32, u32> = Workflow::new("order");
const STATUS: Topic<String> = Topic::new("status");
const APPROVAL: Channel<u32> = Channel::new("approval");
const SECOND: Duration = Duration::from_secs(1);

/// What lies outside: how often each effect took place, by idempotency key, and what works.
#[derive(Default)]
struct World {
    effects: RefCell<BTreeMap<String, u32>>,
    is_up: Cell<bool>,
}

impl World {
    fn effects(&self) -> Vec<(String, u32)> {
        self.effects.borrow().iter().map(|(key, times)| (key.clone(), *times)).collect()
    }
}

fn seen(effects: &[(&str, u32)]) -> Vec<(String, u32)> {
    effects.iter().map(|(key, times)| ((*key).to_owned(), *times)).collect()
}

/// A step that notes its effect, and fails unless the world is up.
fn step(ctx: &Ctx, world: &Rc<World>, name: &'static str, needs_world: bool) -> dacapo::Step<u32> {
    let world = world.clone();
    ctx.step_with(name, async move |attempt: Attempt| {
        let (place, _) = attempt.key().rsplit_once('/').expect("the store's number is last");
        *world.effects.borrow_mut().entry(place.to_owned()).or_default() += 1;
        if world.is_up.get() || !needs_world { Ok(1) } else { Err(Error::new("it is down")) }
    })
}

type Code = fn(&Ctx, Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>>;

fn build(world: &Rc<World>, code: Code) -> Builder {
    let world = world.clone();
    Executor::builder().workflow(ORDER, async move |ctx: &Ctx, _| code(ctx, world.clone()).await)
}

fn pays(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
    Box::pin(async move {
        let reserved = step(ctx, &world, "reserve", false).await?;
        ctx.publish(STATUS, "reserved".into());
        let charged = step(ctx, &world, "charge", true).await;
        if charged.is_err() {
            ctx.publish(STATUS, "failed".into());
        }
        let charged = charged?;
        ctx.publish(STATUS, "charged".into());
        Ok(reserved + charged)
    })
}

fn published(executor: &Executor) -> Vec<String> {
    let follow = executor.follow("order-7", STATUS, 0);
    let all = futures::StreamExt::collect::<Vec<_>>(follow);
    let all: Result<Vec<_>> = executor.block_on(all).into_iter().collect();
    all.expect("they decode").into_iter().map(|(_, status)| status).collect()
}

/// What was achieved stays, what failed is tried anew with its key, what was published stays published;
/// at every crash.
#[test]
fn a_run_is_taken_up_from_what_it_achieved() {
    let world = Rc::new(World::default());
    let (executor, store) = open(build(&world, pays), MemoryStore::new());
    let handle = executor.start(ORDER, "order-7", 1).expect("new");
    let error = executor.block_on(handle).expect_err("it is down");
    executor.retry("order-7").expect("it goes on");
    let again = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(again).expect_err("it is down").to_string(), error.to_string());
    world.is_up.set(true);
    drop(store.take());
    executor.retry("order-7").expect("it goes on");
    let again = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(again).expect("it is up"), 2);
    assert_eq!(world.effects(), seen(&[("order-7/1/reserve", 1), ("order-7/3/charge", 3)]));
    executor.verify("order-7").expect("it replays");
    assert_eq!(published(&executor), ["reserved", "failed", "failed", "charged"]);
    drop(executor);
    for stored in store.take() {
        let before = world.effects.borrow()["order-7/3/charge"];
        let (executor, _) = open(build(&world, pays), stored);
        let run = executor.attach(ORDER, "order-7").expect("it is there");
        assert_eq!(executor.block_on(run).expect("it is up"), 2);
        executor.verify("order-7").expect("it replays");
        assert_eq!(published(&executor), ["reserved", "failed", "failed", "charged"]);
        assert!(world.effects.borrow()["order-7/3/charge"] <= before + 1);
        assert_eq!(world.effects.borrow()["order-7/1/reserve"], 1);
    }
}

fn waits(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
    Box::pin(async move {
        let both = join(step(ctx, &world, "charge", true), step(ctx, &world, "pack", false)).await;
        let approved = ctx.receive(APPROVAL).await;
        Ok(both.0? + both.1? + approved)
    })
}

/// Messages that stand behind a failure are kept.
#[test]
fn messages_are_kept() {
    fn fails(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            let charged = step(ctx, &world, "charge", true).await;
            let approved = ctx.receive(APPROVAL).await;
            Ok(charged? + approved)
        })
    }
    for code in [fails as Code, waits as Code] {
        let world = Rc::new(World::default());
        let (executor, _) = open(build(&world, code), MemoryStore::new());
        let run = executor.start(ORDER, "order-7", 1).expect("new");
        executor.block_on(run.accepted()).expect("it is committed");
        executor.block_on(executor.send("order-7", APPROVAL, 40)).expect("it runs");
        executor.block_on(run).expect_err("it is down");
        world.is_up.set(true);
        executor.retry("order-7").expect("it goes on");
        let again = executor.attach(ORDER, "order-7").expect("it is there");
        let end = executor.block_on(again);
        // Whatever came behind the failure and was achieved keeps the failure.
        match world.effects.borrow().contains_key("order-7/2/pack") {
            false => assert_eq!(end.expect("it is up"), 41),
            true => assert!(end.expect_err("the code had it").to_string().contains("it is down")),
        }
        executor.verify("order-7").expect("it replays");
    }
}

/// Who was asked to end goes on, and so does one whose deadline has passed.
#[test]
fn a_run_that_was_cancelled() {
    fn sleeps(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            step(ctx, &world, "reserve", false).await?;
            ctx.sleep(3_600 * SECOND).await;
            Ok(7)
        })
    }
    for has_deadline in [false, true] {
        let world = Rc::new(World::default());
        let (executor, _) = open(build(&world, sleeps), MemoryStore::new());
        let options = match has_deadline {
            true => Start::new().timeout(SECOND),
            false => Start::new(),
        };
        let run = executor.start_with(ORDER, "order-7", 1, options).expect("new");
        executor.block_on(run.accepted()).expect("it is committed");
        if !has_deadline {
            executor.block_on(executor.cancel("order-7")).expect("it runs");
        }
        assert!(executor.block_on(run).expect_err("it ends").is_cancelled());
        executor.retry("order-7").expect("it goes on");
        let again = executor.attach(ORDER, "order-7").expect("it is there");
        assert_eq!(executor.block_on(again).expect("it ends"), 7);
        assert_eq!(world.effects(), seen(&[("order-7/1/reserve", 1)]));
        executor.verify("order-7").expect("it replays");
    }
}

/// The code ends its pass before what it did is delivered: the next one is not asked to end by a deadline that
/// counts no longer.
#[test]
fn a_pass_that_is_left_at_once() {
    fn sleeps(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            match (ctx.pass(), world.is_up.get()) {
                (1, true) => ctx.again(ORDER, 2).await,
                _ => {
                    ctx.sleep(3_600 * SECOND).await;
                    Ok(7)
                }
            }
        })
    }
    let world = Rc::new(World::default());
    let (executor, _) = open(build(&world, sleeps), MemoryStore::new());
    let options = Start::new().timeout(SECOND);
    let run = executor.start_with(ORDER, "order-7", 1, options).expect("new");
    assert!(executor.block_on(run).expect_err("it ends").is_cancelled());
    world.is_up.set(true);
    executor.retry("order-7").expect("it goes on");
    let again = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(again), Ok(7));
    executor.verify("order-7").expect("it replays");
}

/// A bug in the code itself: nothing failed, and the next build decides anew.
#[test]
fn the_code_of_the_next_build_decides() {
    fn is_wrong(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            step(ctx, &world, "reserve", false).await?;
            Err(Error::new("a bug"))
        })
    }
    fn is_right(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move { step(ctx, &world, "reserve", false).await })
    }
    let world = Rc::new(World::default());
    let (executor, store) = open(build(&world, is_wrong), MemoryStore::new());
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    assert_eq!(executor.block_on(run).expect_err("a bug").to_string(), "a bug");
    drop(executor);
    let (executor, _) = open(build(&world, is_right), store.now());
    executor.retry("order-7").expect("it goes on");
    let again = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(again).expect("it is mended"), 1);
    assert_eq!(world.effects(), seen(&[("order-7/1/reserve", 1)]));
}

/// What may run at most once does not run again, and attempts are counted anew.
#[test]
fn what_is_tried_again() {
    fn charges(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            let patient = Retry::exponential(2 * SECOND).max_attempts(3);
            step(ctx, &world, "charge", true).retry(patient).await
        })
    }
    let world = Rc::new(World::default());
    let (executor, _) = open(build(&world, charges), MemoryStore::new());
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    executor.block_on(run).expect_err("it is down");
    executor.retry("order-7").expect("it goes on");
    let again = executor.attach(ORDER, "order-7").expect("it is there");
    executor.block_on(again).expect_err("it is down");
    assert_eq!(world.effects(), seen(&[("order-7/1/charge", 6)]));

    fn once(ctx: &Ctx, _: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            let wire = async || {
                std::future::pending::<()>().await;
                Ok::<_, Error>(1)
            };
            ctx.step("wire", wire).at_most_once().await
        })
    }
    let (executor, store) = open(build(&world, once), MemoryStore::new());
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        for _ in 0..10 {
            dacapo::yield_now().await;
        }
    });
    drop((run, executor));
    let (executor, _) = open(build(&world, once), store.now());
    for _ in 0..3 {
        let run = executor.attach(ORDER, "order-7").expect("it is there");
        assert!(executor.block_on(run).expect_err("it had begun").is_interrupted());
        executor.retry("order-7").expect("it is taken up");
    }
}

/// What cannot be retried says so.
#[test]
fn who_is_not_retried() {
    fn parks(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move { step(ctx, &world, "charge", true).or_park().await })
    }
    let world = Rc::new(World::default());
    let (executor, store) = open(build(&world, parks), MemoryStore::new());
    let refused = |executor: &Executor| executor.retry("order-7").expect_err("no").to_string();
    assert_eq!(refused(&executor), r#"there is no run "order-7": check the id, or start it"#);
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    let not_ended = r#"run "order-7" has not ended, so there is nothing to retry"#;
    assert_eq!(refused(&executor), not_ended);
    executor.block_on(run).expect_err("it gives up");
    let parked = r#"run "order-7" is parked, and has not failed: see Executor::resume"#;
    assert_eq!(refused(&executor), parked);
    world.is_up.set(true);
    executor.resume("order-7").expect("it goes on");
    executor.block_on(executor.attach(ORDER, "order-7").expect("there")).expect("it ends");
    let completed = r#"run "order-7" has completed, so there is nothing to retry"#;
    assert_eq!(refused(&executor), completed);
    drop(executor);
    let executor = Executor::builder().open_with(store.now()).expect("memory");
    assert_eq!(refused(&executor), completed);
    let error = executor.resume("order-7").expect_err("it has ended").to_string();
    assert!(error.ends_with("if it failed, see Executor::retry"), "{error}");
}

/// A step that gives up parks its run: nothing of the failure is recorded, other runs go on, and each
/// resume tries once more.
#[test]
fn a_step_that_parks_its_run() {
    fn charges(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            let patient = Retry::exponential(SECOND).max_attempts(2);
            let charge = step(ctx, &world, "charge", true).label("card").retry(patient).or_park();
            let (charged, packed) = join(charge, step(ctx, &world, "pack", false)).await;
            Ok(charged? + packed?)
        })
    }
    let world = Rc::new(World::default());
    let (executor, store) = open(build(&world, charges), MemoryStore::new());
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    let error = executor.block_on(run).expect_err("it gives up");
    assert_eq!(error.park_reason(), Some(ParkReason::GaveUp));
    let message = error.to_string();
    let why = "gave up: step 1 \"charge\" [card] failed, after 2 attempts: it is down; see to what";
    assert!(message.starts_with(&format!("run \"order-7\" is parked: {why}")), "{message}");
    let again = executor.resume("order-7").map(|()| executor.attach(ORDER, "order-7"));
    let error = executor.block_on(again.expect("it goes on").expect("there")).expect_err("down");
    assert_eq!(error.park_reason(), Some(ParkReason::GaveUp));
    drop(executor);
    world.is_up.set(true);
    let (executor, _) = open(build(&world, charges), store.now());
    assert_eq!(executor.parked().expect("memory")[0].reason, ParkReason::GaveUp);
    executor.resume("order-7").expect("it goes on");
    let run = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it is up"), 2);
    assert_eq!(world.effects(), seen(&[("order-7/1/charge", 4), ("order-7/2/pack", 1)]));
    executor.verify("order-7").expect("it replays");
}

/// A body that ends its process again and again parks its run, at last, and each resume makes one more
/// attempt.
#[test]
fn a_body_that_ends_processes_parks_its_run() {
    fn fatal(ctx: &Ctx, world: Rc<World>) -> futures::future::LocalBoxFuture<'_, Result<u32>> {
        Box::pin(async move {
            let is_mended = world.is_up.get();
            let begun = step(ctx, &world, "begin", false).await?;
            let body = async move || {
                if !is_mended {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Error>(begun)
            };
            ctx.step("fatal", body).await
        })
    }
    let world = Rc::new(World::default());
    let mut stored = MemoryStore::new();
    for process in 0..=Retry::INTERRUPTED_ATTEMPTS {
        let (executor, store) = open(build(&world, fatal), stored);
        let run = executor.start(ORDER, "order-7", 1).expect("it starts, or is there");
        let clock = VirtualClock::new(Timestamp::default());
        let turns = async {
            let _ = run.accepted().await;
            for _ in 0..10 {
                dacapo::yield_now().await;
            }
            clock.sleep(Duration::ZERO).await;
        };
        executor.block_on(turns);
        let parked = executor.parked().expect("memory");
        assert_eq!(!parked.is_empty(), process == Retry::INTERRUPTED_ATTEMPTS, "{process}");
        stored = store.now();
    }
    let records = history(&stored, "order-7").len();
    let (executor, _) = open(build(&world, fatal), stored);
    let parked = &executor.parked().expect("memory")[0];
    assert_eq!(parked.reason, ParkReason::EndedProcess);
    assert!(
        parked.message.contains(r#"the process ended in 10 attempts of step 2 "fatal"; look for"#),
        "{}",
        parked.message
    );
    world.is_up.set(true);
    executor.resume("order-7").expect("it is tried once more");
    let run = executor.attach(ORDER, "order-7").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it is mended"), 1);
    assert!(records >= 10);
}

/// `println!` panics when nothing can be written. What an outside reason ended is no failure of the run.
#[test]
fn a_println_into_a_full_disk() {
    let (is_full, ran) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(0)));
    let (full, runs) = (is_full.clone(), ran.clone());
    let build = Executor::builder().workflow(ORDER, async move |ctx: &Ctx, _| {
        let (full, runs) = (full.clone(), runs.clone());
        let body = async move || -> Result<u32> {
            runs.set(runs.get() + 1);
            if full.get() {
                panic!("failed printing to stdout: No space left on device (os error 28)");
            }
            Ok(7)
        };
        ctx.step("print", body).or_park().await
    });
    let (executor, _) = open(build, MemoryStore::new());
    let error =
        executor.block_on(executor.start(ORDER, "run", 7).expect("new")).expect_err("it is full");
    assert_eq!(error.park_reason(), Some(ParkReason::GaveUp), "{error}");
    assert!(error.to_string().contains("No space left on device"), "{error}");
    is_full.set(false);
    executor.resume("run").expect("there is room");
    assert_eq!(
        executor.block_on(executor.attach(ORDER, "run").expect("there")).expect("it ends"),
        7
    );
    assert_eq!(ran.get(), 2);
}

/// What may run at most once is not tried again, so nobody parks its run with the advice to do so.
#[test]
fn a_step_that_runs_at_most_once_parks_nothing() {
    let builder = Executor::builder().workflow(ORDER, async |ctx: &Ctx, _| {
        let charge = ctx.step("charge", async || Err::<u32, _>(Error::new("the card is refused")));
        charge.at_most_once().or_park().await
    });
    let executor = builder.in_memory();
    let run = executor.start(ORDER, "order-7", 1).expect("new");
    let error = executor.block_on(run).expect_err("it failed");
    assert_eq!(error.park_reason(), None);
    assert!(error.to_string().contains("the card is refused"), "{error}");
}

const PART: Workflow<(), u32> = Workflow::new("part");

/// Its child is asked to end when it fails. The child asks whether it may, and sleeps first.
fn build_of_two(world: &Rc<World>) -> Builder {
    let world = world.clone();
    let whole = async move |ctx: &Ctx, _: u32| {
        let child = ctx.child(PART, ()).id("part-7");
        let (part, charged) = try_join(child, step(ctx, &world, "charge", true)).await?;
        Ok::<_, Error>(part + charged)
    };
    let part = async move |ctx: &Ctx, ()| {
        ctx.shield(ctx.sleep(60 * SECOND)).await;
        Ok::<_, Error>(40)
    };
    Executor::builder().workflow(ORDER, whole).workflow(PART, part)
}

/// A run that is taken up again waits for the children that were asked to end with it, whether they
/// have ended by then, are not in memory, or are gone. (The random worlds found one that waited for ever.)
#[test]
fn children_are_awaited_again() {
    let cases =
        [(10, false, Some(41)), (10, true, Some(41)), (70, false, Some(41)), (70, true, None)];
    for (seconds, is_odd, expected) in cases {
        let world = Rc::new(World::default());
        let clock = VirtualClock::new(Timestamp::from_nanos(1));
        let builder = || build_of_two(&world).resident_max(0);
        let (executor, stores) = open_at(builder(), MemoryStore::new(), clock.clone());
        let failed = executor.start(ORDER, "order-7", 1).expect("it starts");
        assert!(executor.block_on(failed).is_err());
        executor.block_on(clock.sleep(seconds * SECOND));
        if expected.is_none() {
            executor.block_on(executor.delete("part-7")).expect("it has ended");
        }
        // A crash between the two, and a run that is not in memory, change nothing.
        let executor = if is_odd && expected.is_some() {
            let last = stores.take().pop().expect("it was committed");
            open_at(builder(), last, clock.clone()).0
        } else {
            executor
        };
        world.is_up.set(true);
        let retried = executor.retry("order-7");
        match expected {
            Some(sum) => {
                retried.expect("it has failed");
                let run = executor.attach(ORDER, "order-7").expect("it is there");
                assert_eq!(executor.block_on(run), Ok(sum));
            }
            None => {
                let error = retried.expect_err("its child is gone");
                assert!(error.to_string().contains("part-7"), "{error}");
            }
        }
    }
}

/// A child that failed by itself is retried, and its parent after it: that has the work of the child then. As long
/// as the child has failed, the parent fails of it again.
#[test]
fn a_parent_is_healed_by_its_child() {
    let is_up = Rc::new(Cell::new(false));
    let up = is_up.clone();
    let part = async move |ctx: &Ctx, ()| {
        let up = up.clone();
        let body = async move || if up.get() { Ok(40) } else { Err(Error::new("a bug")) };
        ctx.step("part", body).await
    };
    let whole =
        async |ctx: &Ctx, n: u32| Ok::<_, Error>(n + ctx.child(PART, ()).id("part-7").await?);
    let builder = Executor::builder().workflow(ORDER, whole).workflow(PART, part);
    let (executor, stores) = open(builder.resident_max(0), MemoryStore::new());
    let end_of = |executor: &Executor| {
        executor.block_on(executor.attach(ORDER, "order-7").expect("it is there"))
    };
    let failed = executor.start(ORDER, "order-7", 2).expect("it starts");
    assert!(executor.block_on(failed).is_err());
    for _ in 0..2 {
        executor.retry("order-7").expect("it has failed");
        let error = end_of(&executor).expect_err("the child has failed");
        assert!(error.to_string().contains("a bug"), "{error}");
    }
    is_up.set(true);
    executor.retry("part-7").expect("it has failed");
    // It need not have ended by then.
    executor.retry("order-7").expect("it has failed");
    assert_eq!(end_of(&executor), Ok(42));
    executor.verify("order-7").expect("it is the same run again");
    drop(stores.take());
}

/// The disk does not answer one of the reads of a retry: nothing is final, and the retry after that is the
/// same as without.
#[test]
fn children_that_cannot_be_read_when_their_parent_is_retried() {
    let (mut refused_once, mut reads) = (0, 0);
    while refused_once == reads {
        for seconds in [10, 70] {
            let world = Rc::new(World::default());
            let clock = VirtualClock::new(Timestamp::from_nanos(1));
            let builder = || build_of_two(&world).resident_max(0).clock(clock.clone());
            let (left, memory) = (Rc::new(Cell::new(None)), MemoryStore::new());
            let hooked = refusing_one_read(&memory, left.clone());
            let executor = builder().open_with(hooked).expect("it opens");
            let failed = executor.start(ORDER, "order-7", 1).expect("it starts");
            assert!(executor.block_on(failed).is_err());
            executor.block_on(clock.sleep(seconds * SECOND));
            world.is_up.set(true);
            left.set(Some(refused_once));
            let first = executor.retry("order-7").and_then(|()| {
                let run = executor.attach(ORDER, "order-7")?;
                executor.block_on(run)
            });
            let was_refused = left.take().is_none();
            if !was_refused {
                assert_eq!(first, Ok(41));
                continue;
            }
            reads = refused_once + 1;
            // The same process takes it up, or is over: it does not go on beside a run that nobody has.
            drop(executor.retry("order-7"));
            executor.block_on(clock.sleep(1_000 * SECOND));
            if executor.start(ORDER, "order-8", 1).is_ok() {
                let state = executor.info("order-7").expect("it is there").state;
                assert_eq!(state.name(), "completed", "read {refused_once}: {first:?}");
            }
            drop(executor);
            let executor = builder().open_with(memory).expect("it opens");
            // It may have been taken up before that, or not.
            drop(executor.retry("order-7"));
            let run = executor.attach(ORDER, "order-7").expect("it is there");
            assert_eq!(
                executor.block_on(run),
                Ok(41),
                "read {refused_once}, {seconds} s: {first:?}"
            );
        }
        refused_once += 1;
    }
    assert!(reads > 5, "{reads} reads");
}
