//! Panics in places where nobody expects user code: each stays with its step or its run.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, ParkReason, Result, Retry, Timestamp, Workflow};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{open, open_at};

const W: Workflow<(), u32> = Workflow::new("w");
const OTHER: Workflow<(), u32> = Workflow::new("other");

async fn value(n: u32) -> Result<u32> {
    Ok(n)
}

fn with_other(builder: Builder) -> Builder {
    builder.workflow(OTHER, async |ctx: &Ctx, ()| -> Result<u32> {
        let (a, b) =
            (ctx.step("a", async || value(1).await), ctx.step("b", async || value(2).await));
        dacapo::join(a, b).await.0
    })
}

/// A value that panics when it is written, or when it is read.
struct Grenade {
    at_write: bool,
}

impl Serialize for Grenade {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.at_write, "written");
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Grenade {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = SAFE_READS.get().checked_sub(1).expect("read");
        SAFE_READS.set(left);
        <()>::deserialize(deserializer).map(|()| Self { at_write: false })
    }
}

thread_local! {
    /// So many are read before one panics: the first of a type is read back when it is recorded.
    static SAFE_READS: Cell<u32> = const { Cell::new(0) };
}

/// An input that cannot be read parks its run; what was committed with it reaches the others.
#[test]
fn of_an_input_that_is_read() {
    const BAD: Workflow<Grenade, u32> = Workflow::new("bad");
    let build = || {
        let bad = async |_: &Ctx, _: Grenade| -> Result<u32> { Ok(0) };
        with_other(Executor::builder().workflow(BAD, bad))
    };
    let (executor, store) = open(build(), MemoryStore::new());
    SAFE_READS.set(1);
    let bad = executor.start(BAD, "bad", Grenade { at_write: false }).expect("new");
    let other = executor.start(OTHER, "other", ()).expect("new");
    executor.block_on(bad.accepted()).expect("the start is committed, whatever comes of it");
    let error = executor.block_on(bad).expect_err("it cannot be read");
    assert!(error.is_parked() && error.to_string().contains("read"), "{error}");
    assert_eq!(executor.block_on(other).expect("others go on"), 1);
    let commits = store.take();
    drop(executor);
    for stored in commits {
        let (executor, _) = open(build(), stored);
        let other = executor.attach(OTHER, "other").expect("it is there");
        assert_eq!(executor.block_on(other).expect("others go on"), 1);
        assert_eq!(executor.parked().expect("readable")[0].reason, ParkReason::Panicked);
    }
}

/// A step fails if its outcome panics when it is written, its error when it is shown, its attempt
/// when it is dropped; what its body owned may panic at the end without any effect.
#[test]
fn of_outcomes_errors_and_drops() {
    let builder = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let write = async || Ok::<_, dacapo::Error>(Grenade { at_write: true });
        let written = ctx.step("write", write).await.err().expect("it panics");
        assert_eq!(written.to_string(), r#"step 1 "write" failed: panicked: written"#);

        let show = async || Err::<u32, _>(Unshowable);
        let shown = ctx.step("show", show).await.expect_err("it panics");
        assert_eq!(shown.to_string(), r#"step 2 "show" failed: panicked: shown"#);

        let slow = async || -> Result<u32> {
            let _cup = Brittle;
            std::future::pending().await
        };
        let limit = Duration::from_secs(1);
        let dropped = ctx.step("slow", slow).timeout(limit).await.expect_err("it panics");
        assert_eq!(dropped.to_string(), r#"step 3 "slow" failed: panicked: dropped"#);

        let cup = Brittle;
        let owner = async move || {
            let _cup = &cup;
            value(4).await
        };
        ctx.step("owner", owner).await
    });
    let (executor, _) = open(builder, MemoryStore::new());
    assert_eq!(executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends"), 4);
    executor.verify("run").expect("it replays");
}

/// An error whose text or whose causes never end fails its step, as any other.
#[test]
fn of_errors_without_an_end() {
    let builder = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let endless = ctx.step("text", async || Err::<u32, _>(Endless { text: true })).await;
        let endless = endless.expect_err("it fails").to_string();
        assert!(endless.starts_with(r#"step 1 "text" failed: and so on, and so on, "#));
        assert!(endless.ends_with(" (cut off)") && endless.len() < 70_000, "{}", endless.len());
        let caused = ctx.step("causes", async || Err::<u32, _>(Endless { text: false })).await;
        let caused = format!("{:?}", caused.expect_err("it fails"));
        assert!(caused.starts_with(r#"step 2 "causes" failed: itself: itself: "#), "{caused}");
        value(caused.len() as u32).await
    });
    let (executor, _) = open(builder, MemoryStore::new());
    let length = executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    assert!(length < 1_000);
    executor.verify("run").expect("it replays");
}

#[derive(Debug)]
struct Endless {
    text: bool,
}

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.text {
            return f.write_str("itself");
        }
        loop {
            f.write_str("and so on, ")?;
        }
    }
}

impl std::error::Error for Endless {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (!self.text).then_some(self as _)
    }
}

#[derive(Debug)]
struct Unshowable;

impl fmt::Display for Unshowable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("shown")
    }
}

impl std::error::Error for Unshowable {}

struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "dropped");
    }
}

/// A payload that panics again when it is dropped.
#[test]
fn of_a_panic_itself() {
    let builder = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<u32> {
        let body = async || -> Result<u32> { std::panic::panic_any(Brittle) };
        let error = ctx.step("throw", body).await.expect_err("it panics");
        assert!(error.is_panic());
        std::panic::panic_any(Brittle)
    });
    let (executor, _) = open(with_other(builder), MemoryStore::new());
    let run = executor.start(W, "run", ()).expect("new");
    assert!(executor.block_on(run).expect_err("it is parked").is_parked());
    let other = executor.start(OTHER, "other", ()).expect("new");
    assert_eq!(executor.block_on(other).expect("others go on"), 1);
}

/// Retries without a wait leave turns to the others, also while the clock stands still.
#[test]
fn of_a_body_that_is_retried_without_a_wait() {
    let clock = dacapo::sim::VirtualClock::new(Timestamp::default());
    let attempts = Rc::new(Cell::new(0));
    let seen = attempts.clone();
    let builder = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<u32> {
        let attempts = attempts.clone();
        let body = async move || -> Result<u32> {
            attempts.set(attempts.get() + 1);
            panic!("again")
        };
        ctx.step("again", body).retry(Retry::exponential(Duration::ZERO)).await
    });
    let (executor, _) = open_at(with_other(builder), MemoryStore::new(), clock);
    drop(executor.start(W, "run", ()).expect("new"));
    let other = executor.start(OTHER, "other", ()).expect("new");
    assert_eq!(executor.block_on(other).expect("it has its turns"), 1);
    assert!(seen.get() < 100, "{} attempts", seen.get());
}

/// Whoever looks on and panics, at each event or at some, changes nothing for the runs.
#[test]
fn a_panic_of_an_observer() {
    struct Broken(Cell<u32>);
    impl dacapo::Observer for Broken {
        fn observe(&self, _: &str, _: dacapo::Event<'_>) {
            self.0.set(self.0.get() + 1);
            assert!(self.0.get().is_multiple_of(3), "a poisoned lock");
        }
    }
    const SUM: Workflow<u32, u32> = Workflow::new("sum");
    let seen = Rc::new(Broken(Default::default()));
    let executor = Executor::builder()
        .workflow(SUM, async |ctx: &Ctx, n: u32| {
            let step = ctx.step("add", async move || Ok::<_, Error>(n + 1)).await?;
            ctx.spawn(async move |ctx: &Ctx| {
                ctx.step("add", async move || Ok::<_, Error>(step)).await
            })
            .await
        })
        .observer(seen.clone())
        .in_memory();
    let runs = (0..10).map(|n| executor.start(SUM, &n.to_string(), n).expect("new"));
    let runs: Vec<_> = runs.collect();
    let ends = executor.block_on(dacapo::join_all(runs));
    assert_eq!(
        ends.into_iter().collect::<Result<Vec<_>>>().expect("they end"),
        (1..=10).collect::<Vec<_>>()
    );
    assert!(executor.parked().expect("memory").is_empty());
    executor.verify("3").expect("it replays");
    assert!(seen.0.get() > 100);
}
