//! What a build would park, said before it is deployed.

use std::path::{Path, PathBuf};

use dacapo::store::{Filter, MemoryStore};
use dacapo::{
    Builder, Channel, Ctx, Error, Event, Executor, Observer, ParkReason, Result, Workflow,
};

use super::{Told, open};

const ORDER: Workflow<u32, u32> = Workflow::new("order");
const OTHER: Workflow<u32, u32> = Workflow::new("other");
const CENTS: Channel<u32> = Channel::new("cents");

async fn order(ctx: &Ctx, step: &'static str, n: u32) -> Result<u32> {
    // Some of them are told apart by what they do first.
    let name = if n.is_multiple_of(2) { step } else { "count" };
    let paid = ctx.step(name, async move || Ok::<_, Error>(n)).await?;
    Ok(paid + ctx.receive(CENTS).await)
}

fn with(step: &'static str) -> Builder {
    Executor::builder().workflow(ORDER, async move |ctx: &Ctx, n| order(ctx, step, n).await)
}

/// Ten runs that wait for a message, one that has ended, one of a workflow that later builds lack, and one
/// that is parked.
fn in_flight(executor: &Executor) -> Result<()> {
    for n in 0..10 {
        let _started = executor.start(ORDER, &format!("order-{n}"), n)?;
    }
    let ended = executor.start(ORDER, "ended", 0)?;
    let _started = executor.start(OTHER, "other", 0)?;
    executor.block_on(executor.start(OTHER, "parked", 1)?).unwrap_err();
    executor.block_on(executor.send("ended", CENTS, 1))?;
    executor.block_on(ended)?;
    Ok(())
}

fn today() -> Builder {
    with("pay").workflow(OTHER, async |ctx: &Ctx, n| {
        assert_eq!(n, 0, "a bug");
        Ok::<_, Error>(ctx.receive(CENTS).await)
    })
}

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = directory.join(format!("rehearsed-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("it is made");
    directory
}

/// A good build parks nothing, a bad one five of ten; and not a byte is changed, whoever looks.
#[test]
fn what_a_build_would_park() -> Result<()> {
    let directory = directory("what");
    let path = directory.join("runs");
    let executor = today().open(&path)?;
    in_flight(&executor)?;
    let copy = directory.join("copy");
    executor.backup(&copy)?;
    let in_use = with("pay").rehearse(&path).unwrap_err();
    assert!(in_use.is_store(), "{in_use}");
    drop(executor);

    // One that was closed, and one as after a crash.
    for path in [&path, &copy] {
        let before = std::fs::read(path).expect("it is there");
        let good = with("pay").rehearse(path)?;
        assert_eq!((good.tried, good.parked.len()), (10, 0), "{good:?}");
        let unregistered = good.unregistered.iter().map(|run| &*run.id).collect::<Vec<_>>();
        assert_eq!(unregistered, ["other"]);
        let told = "10 runs replayed, 0 would be parked\nrun \"other\": this build has no workflow";
        assert!(good.to_string().starts_with(told), "{good}");

        let bad = with("charge").build_id("1.1").rehearse(path)?;
        let parked = bad.parked.iter().map(|run| &*run.id).collect::<Vec<_>>();
        assert_eq!((bad.tried, parked.len()), (10, 5));
        assert_eq!(parked, ["order-0", "order-2", "order-4", "order-6", "order-8"]);
        let run = &bad.parked[1];
        assert_eq!((&*run.workflow, run.reason), ("order", ParkReason::Diverged));
        let both = r#"history holds outcome of step 1 "pay""#;
        assert!(run.message.contains(both) && run.message.contains("charge"), "{}", run.message);
        assert_eq!(std::fs::read(path).expect("it is there"), before);
    }
    let names = std::fs::read_dir(&directory).expect("it is there");
    assert_eq!(names.count(), 2, "nothing is left beside it");

    // It goes on as if nobody had looked.
    let executor = today().open(&path)?;
    assert_eq!(executor.parked()?.len(), 1);
    executor.block_on(executor.send("order-4", CENTS, 1))?;
    assert_eq!(executor.block_on(executor.attach(ORDER, "order-4")?)?, 5);
    std::fs::remove_dir_all(directory).expect("it is there");
    Ok(())
}

#[test]
fn there_must_be_a_file() {
    let directory = directory("none");
    let error = with("pay").rehearse(directory.join("runs")).unwrap_err();
    assert!(error.is_store(), "{error}");
    assert_eq!(std::fs::read_dir(&directory).expect("it is there").count(), 0);
    std::fs::remove_dir_all(directory).expect("it is there");
}

/// What an observer of the live runs sees, and what of rehearsals.
#[derive(Clone, Default)]
struct Seen {
    live: Told,
    rehearsed: Told,
    told: Told,
}

impl Observer for Seen {
    fn observe(&self, run: &str, event: Event<'_>) {
        self.live.0.borrow_mut().push(format!("{run}: {event}"));
    }

    fn rehearse(&self, run: &str, event: Event<'_>) {
        self.rehearsed.0.borrow_mut().push(format!("{run}: {event}"));
    }

    fn notify(&self, notice: &dacapo::Notice<'_>) {
        self.told.notify(notice);
    }
}

/// Neither its events nor that it would be parked: nothing happens to the run.
#[test]
fn a_rehearsal_is_not_shown_as_the_run() -> Result<()> {
    let (executor, store) = open(today(), MemoryStore::new());
    in_flight(&executor)?;
    drop(executor);
    let seen = Seen::default();
    let bad = with("charge").observer(seen.clone()).rehearse_with(store.now())?;
    assert_eq!(bad.parked.len(), 5);
    assert!(seen.live.0.borrow().is_empty() && seen.told.0.borrow().is_empty(), "{bad:?}");
    let rehearsed = seen.rehearsed.0.take();
    assert!(rehearsed.contains(&r#"order-4: ask step 1 "charge""#.into()), "{rehearsed:?}");

    let (executor, _) = open(today().observer(seen.clone()), store.now());
    let (live, told) = (seen.live.0.take(), seen.told.0.take());
    executor.verify("ended")?;
    executor.verify("order-4")?;
    assert!(seen.live.0.borrow().is_empty() && seen.told.0.borrow().is_empty());
    assert!(!seen.rehearsed.0.borrow().is_empty());
    drop((live, told));
    Ok(())
}

/// Of all runs, and of a page of them: what is said in the message, part by part.
#[test]
fn both_sides_of_a_divergence() -> Result<()> {
    let store = MemoryStore::new();
    let executor = today().open_with(store.shared())?;
    in_flight(&executor)?;
    assert_eq!(executor.verify_all(&Filter::new())?.parked, []);
    drop(executor);
    let executor = with("charge").look_at(store.shared())?;
    let all = executor.verify_all(&Filter::new())?;
    assert_eq!((all.tried, all.parked.len(), all.unregistered.len()), (10, 5, 1));
    for run in &all.parked {
        let found = run.divergence.as_ref().expect("it differs");
        assert_eq!(found.record, 1);
        assert_eq!(found.history, r#"outcome of step 1 "pay""#);
        assert_eq!(found.code, r#"asks for step 1 "charge""#);
        let message = format!("the history holds {}, but the code {}", found.history, found.code);
        assert!(run.message.contains(&message), "{}", run.message);
    }
    let page = executor.verify_all(&Filter::new().id_prefix("order-").limit(3))?;
    assert_eq!((page.tried, page.parked.len()), (3, 2));
    Ok(())
}
