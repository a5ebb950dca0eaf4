//! Runs whose replay ends the process, or never ends: others go on all the same.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Channel, Ctx, Error, Executor, ParkReason, Result, Workflow, yield_now};

use super::Told;

/// Whether its code does what no other run survives, behind the step.
const RUN: Workflow<bool, u32> = Workflow::new("run");
const GO_ON: Channel<u32> = Channel::new("go on");
const NEWS: Channel<u32> = Channel::new("news");
pub(super) const RUNS: usize = 100;
pub(super) const POISONED: &str = "run-50";

/// Every run but one awaits a message behind a step; in the process to come the other does `harm`, at the
/// same place.
pub(super) fn build(harm: Option<Rc<dyn Fn()>>) -> Builder {
    Executor::builder().workflow(RUN, async move |ctx: &Ctx, is_poisoned: bool| {
        let n = ctx.step("begin", async || Ok::<_, Error>(1)).await?;
        if let Some(harm) = harm.as_ref().filter(|_| is_poisoned) {
            harm();
        }
        Ok::<_, Error>(n + ctx.receive(GO_ON).await)
    })
}

pub(super) fn start(store: impl Store + 'static) {
    start_with(store, &[POISONED]);
}

fn start_with(store: impl Store + 'static, poisoned: &[&str]) {
    let executor = build(None).open_with(store).expect("it opens");
    let runs = (0..RUNS).map(|n| {
        let id = format!("run-{n}");
        executor.start(RUN, &id, poisoned.contains(&&*id)).expect("new")
    });
    let runs: Vec<_> = runs.collect();
    executor.block_on(async {
        for run in &runs {
            run.accepted().await.expect("it is committed");
        }
        for _ in 0..5 {
            yield_now().await;
        }
    });
}

pub(super) fn all_but_one_end(executor: &Executor) {
    for id in (0..RUNS).map(|n| format!("run-{n}")).filter(|id| id != POISONED) {
        executor.block_on(executor.send(&id, GO_ON, 1)).expect("it runs");
        let run = executor.attach(RUN, &id).expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 2, "{id}");
    }
}

/// The state that a process leaves which ends in the midst of the harm.
fn state_at_the_end(
    stored: &MemoryStore,
    builder: impl Fn(Rc<dyn Fn()>) -> Builder,
) -> MemoryStore {
    ended(stored, builder).expect("the run was replayed")
}

/// The same, if it does any.
fn ended(stored: &MemoryStore, builder: impl Fn(Rc<dyn Fn()>) -> Builder) -> Option<MemoryStore> {
    ended_behind(stored, builder, &|_| ())
}

/// The same behind something else.
fn ended_behind(
    stored: &MemoryStore,
    builder: impl Fn(Rc<dyn Fn()>) -> Builder,
    before: &dyn Fn(&Executor),
) -> Option<MemoryStore> {
    let live = stored.snapshot();
    let (seen, state) = (live.shared(), Rc::new(Cell::new(None)));
    let kept = state.clone();
    // That of the first harm: the process would not come to another.
    let harm = Rc::new(move || kept.set(kept.take().or_else(|| Some(seen.snapshot()))));
    let executor = builder(harm).open_with(live).expect("it opens");
    before(&executor);
    drop(executor);
    state.take()
}

/// Three processes in a row end in the replay of one run: the fourth parks it, and all others go on. It
/// has one more try for each time that it is resumed.
#[test]
fn a_run_that_ends_the_process_is_parked() {
    let mut stored = MemoryStore::new();
    start(stored.shared());
    for _ in 0..3 {
        stored = state_at_the_end(&stored, |harm| build(Some(harm)));
    }
    let harmless = Rc::new(Cell::new(0));
    let harm = harmless.clone();
    let executor = build(Some(Rc::new(move || harm.set(harm.get() + 1))));
    let executor = executor.open_with(stored.shared()).expect("it opens");
    assert_eq!(harmless.get(), 0, "it is not replayed");
    let parked = executor.parked().expect("memory");
    assert_eq!((parked.len(), &*parked[0].id), (1, POISONED));
    assert_eq!(parked[0].reason, ParkReason::EndedProcess);
    let why = "ended the process: the process ended in each of its last 3 replays; look for";
    assert!(parked[0].message.starts_with(why), "{}", parked[0].message);
    all_but_one_end(&executor);
    assert!(stored.marker().is_empty());
    executor.resume(POISONED).expect("this build does no harm");
    executor.block_on(executor.send(POISONED, GO_ON, 1)).expect("it runs");
    let run = executor.attach(RUN, POISONED).expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 2);
}

/// Whoever only opens and looks, and closes again, takes nothing back: the next process still knows.
#[test]
fn an_open_that_is_not_driven_changes_nothing() {
    let mut stored = MemoryStore::new();
    start(stored.shared());
    for _ in 0..3 {
        stored = state_at_the_end(&stored, |harm| build(Some(harm)));
        // One that does not have the workflow does not come to it.
        drop(Executor::builder().open_with(stored.shared()).expect("it opens"));
    }
    let harmless = Rc::new(Cell::new(0));
    let open = || {
        let harm = harmless.clone();
        let executor = build(Some(Rc::new(move || harm.set(harm.get() + 1))));
        executor.open_with(stored.shared()).expect("it opens")
    };
    for _ in 0..3 {
        assert_eq!(open().parked().expect("memory").len(), 1);
    }
    assert_eq!(harmless.get(), 0, "it is not replayed");
    let executor = open();
    executor.resume(POISONED).expect("this build does no harm");
    executor.block_on(executor.send(POISONED, GO_ON, 1)).expect("it runs");
}

/// Each of several is parked after three ends of its own, and none is forgotten over the others.
#[test]
fn several_runs_that_end_the_process_are_parked() {
    let poisoned = ["run-3", POISONED, "run-51", "run-99"];
    let mut stored = MemoryStore::new();
    start_with(stored.shared(), &poisoned);
    let mut ends = 0;
    while let Some(state) = ended(&stored, |harm| build(Some(harm))) {
        (stored, ends) = (state, ends + 1);
        assert!(ends <= 3 * poisoned.len(), "it never opens");
    }
    let harmless = Rc::new(Cell::new(0));
    let harm = harmless.clone();
    let executor = build(Some(Rc::new(move || harm.set(harm.get() + 1))));
    let executor = executor.open_with(stored.shared()).expect("it opens");
    let mut parked: Vec<_> =
        executor.parked().expect("memory").into_iter().map(|it| it.id).collect();
    parked.sort();
    assert_eq!((harmless.get(), parked), (0, poisoned.map(String::from).to_vec()));
    executor.block_on(executor.send("run-7", GO_ON, 1)).expect("others go on");
    assert!(stored.marker().is_empty());
}

/// Whom they ended with is told before it is replayed again: at first all those that shared a mark.
#[test]
fn whom_a_process_ended_with_is_told() {
    let told = Told::default();
    let open = |harm: Rc<dyn Fn()>| build(Some(harm)).observer(told.clone());
    let mut stored = MemoryStore::new();
    start(stored.shared());
    let line = |who: &str, ends: u32| {
        format!(
            "the process ended while {who} was replayed; after 3 such ends it is parked, by now: {ends}"
        )
    };
    let mut said = Vec::new();
    for _ in 0..3 {
        stored = state_at_the_end(&stored, open);
        said.extend(told.0.take().into_iter().filter(|line| !line.contains("may have been")));
    }
    let first = r#"one of the runs "run-0", "run-1", "run-2", "run-3", "run-4" and 59 more"#;
    assert_eq!(said, [line(first, 1), line(r#"run "run-50""#, 2)]);
    let executor = open(Rc::new(|| ())).open_with(stored).expect("it opens");
    executor.block_on(yield_now());
    let parked = r#"run "run-50" is parked: ended the process: the process ended in each of its"#;
    let mut said = told.0.take();
    said.retain(|line| !line.contains("may have been"));
    // Those that shared its first mark are not accused of what it did since.
    assert!(said.len() == 1 && said[0].starts_with(parked), "{said:?}");
}

/// Two are not enough, and a replay between them that came to its end counts.
#[test]
fn only_ends_in_a_row_count() {
    let mut stored = MemoryStore::new();
    start(stored.shared());
    for _ in 0..3 {
        for _ in 0..2 {
            stored = state_at_the_end(&stored, |harm| build(Some(harm)));
        }
        drop(build(None).open_with(stored.shared()).expect("it opens"));
    }
    let executor = build(None).open_with(stored).expect("it opens");
    assert!(executor.parked().expect("memory").is_empty());
}

/// A mark that was left beside another store, as when somebody deletes the file and begins anew.
#[test]
fn a_mark_of_another_store_means_nothing() {
    let mut stored = MemoryStore::new();
    start(stored.shared());
    for _ in 0..3 {
        stored = state_at_the_end(&stored, |harm| build(Some(harm)));
    }
    let other = MemoryStore::new();
    start(other.shared());
    let executor = build(None).open_with(other.shared()).expect("it opens");
    executor.block_on(executor.send("run-1", GO_ON, 1)).expect("it runs");
    drop(executor);
    assert!(!stored.marker().is_empty());
    other.set_marker(&stored.marker());
    let executor = build(None).open_with(other).expect("it opens");
    assert!(executor.parked().expect("memory").is_empty());
}

/// A run that is held is not replayed, whatever it would do.
#[test]
fn a_run_that_is_held() {
    let stored = MemoryStore::new();
    start(stored.shared());
    let endless: Rc<dyn Fn()> = Rc::new(|| panic!("it is replayed"));
    let executor = build(Some(endless)).hold(POISONED).open_with(stored.shared()).expect("opens");
    executor.block_on(yield_now());
    let parked = executor.parked().expect("memory");
    assert_eq!((&*parked[0].id, parked[0].reason), (POISONED, ParkReason::OnRequest));
    all_but_one_end(&executor);
    drop(executor);
    let executor = build(None).open_with(stored).expect("it opens");
    assert_eq!(executor.parked().expect("memory").len(), 1, "until it is resumed");
    executor.resume(POISONED).expect("it goes on");
    executor.block_on(executor.send(POISONED, GO_ON, 1)).expect("it runs");
}

/// What comes to it with the commit that parks it finds it: somebody may open to do just that.
#[test]
fn a_run_that_is_held_and_ended_at_once() -> Result<()> {
    let stored = MemoryStore::new();
    start(stored.shared());
    let endless: Rc<dyn Fn()> = Rc::new(|| panic!("it is replayed"));
    let executor = build(Some(endless)).hold(POISONED).hold("run-7").open_with(stored)?;
    executor.block_on(async {
        let sent = executor.send("run-7", GO_ON, 1);
        let ended = executor.terminate(POISONED);
        sent.await?;
        ended.await
    })?;
    assert_eq!(executor.parked()?.len(), 1);
    executor.resume("run-7")?;
    assert_eq!(executor.block_on(executor.attach(RUN, "run-7")?)?, 2);
    let error = executor.block_on(executor.attach(RUN, POISONED)?).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    Ok(())
}

/// Who blocks the thread is named while it does.
#[test]
fn a_replay_that_takes_too_long_is_named() {
    let stored = MemoryStore::new();
    start(stored.shared());
    let (tell, told) = mpsc::channel();
    let told = Rc::new(told);
    let lines = told.clone();
    // It goes on and on until somebody looks.
    let harm: Rc<dyn Fn()> = Rc::new(move || {
        let line: String = lines.recv_timeout(Duration::from_secs(20)).expect("it is named");
        let named = r#"the replay of run "run-50" has taken longer than 50ms"#;
        assert!(line.starts_with(named) && line.contains("hold(\"run-50\")"), "{line}");
    });
    let builder = build(Some(harm)).replay_limit(Duration::from_millis(50), move |line| {
        let _ = tell.send(line.to_owned());
    });
    let executor = builder.open_with(stored).expect("it opens");
    assert!(executor.parked().expect("memory").is_empty());
    assert!(told.try_recv().is_err(), "it is told once");
}

/// Does harm when it is dropped, as long as it is poisoned.
struct AtDrop(Option<Rc<dyn Fn()>>);

impl Drop for AtDrop {
    fn drop(&mut self) {
        if let Some(harm) = &self.0 {
            harm();
        }
    }
}

/// As `build`, but the harm is done when what the code owns is dropped.
fn build_brittle(harm: Option<Rc<dyn Fn()>>) -> Builder {
    Executor::builder().workflow(RUN, async move |ctx: &Ctx, is_poisoned: bool| {
        let mut brittle = AtDrop(harm.clone().filter(|_| is_poisoned));
        let n = ctx.step("begin", async || Ok::<_, Error>(1)).await?;
        let n = n + ctx.receive(GO_ON).await;
        // It came to its end.
        brittle.0 = None;
        Ok::<_, Error>(n)
    })
}

/// A run whose code ends the process when it leaves memory, at the end of the executor or before: its replay
/// is harmless, and the process after the third is the first that ends in order.
#[test]
fn a_run_that_ends_the_process_when_it_leaves() {
    // It has left memory until something comes.
    let bring_back = |executor: &Executor| {
        executor.block_on(executor.send(POISONED, NEWS, 1)).expect("it runs");
        executor.block_on(yield_now());
    };
    for resident_max in [usize::MAX, 10] {
        let told = Told::default();
        let open = |harm| build_brittle(Some(harm)).resident_max(resident_max);
        let open = |harm: Rc<dyn Fn()>| open(harm).observer(told.clone());
        let mut stored = MemoryStore::new();
        start(stored.shared());
        for _ in 0..3 {
            stored = ended_behind(&stored, open, &bring_back).expect("it was dropped");
        }
        let said = told.0.take();
        let line = r#"while the code of run "run-50" was dropped; after 3 such ends it is parked, by now: 2"#;
        assert!(said.iter().any(|said| said.ends_with(line)), "{said:?}");
        let harmless = Rc::new(Cell::new(0));
        let harm = harmless.clone();
        let builder = open(Rc::new(move || harm.set(harm.get() + 1)));
        let executor = builder.open_with(stored.shared()).expect("it opens");
        bring_back(&executor);
        let parked = executor.parked().expect("memory");
        assert_eq!((parked.len(), &*parked[0].id), (1, POISONED));
        assert_eq!(parked[0].reason, ParkReason::EndedProcess);
        let why = "ended the process: the process ended each of the last 3 times that what its";
        assert!(parked[0].message.starts_with(why), "{}", parked[0].message);
        executor.block_on(yield_now());
        drop(executor);
        assert_eq!(harmless.get(), 0);
        assert!(stored.marker().is_empty());
        // A build that does no harm.
        let executor = build_brittle(None).open_with(stored).expect("it opens");
        executor.resume(POISONED).expect("it goes on");
        executor.block_on(executor.send(POISONED, GO_ON, 1)).expect("it runs");
        let run = executor.attach(RUN, POISONED).expect("it is there");
        assert_eq!(executor.block_on(run).expect("it ends"), 2);
    }
}

/// A rehearsal that ends the process is not made a fourth time.
#[test]
fn a_rehearsal_that_ends_the_process() -> Result<()> {
    let mut stored = MemoryStore::new();
    start(stored.shared());
    let executor = build(None).open_with(stored.shared())?;
    for n in 0..RUNS {
        executor.block_on(executor.send(&format!("run-{n}"), GO_ON, 1))?;
        executor.block_on(executor.attach(RUN, &format!("run-{n}"))?)?;
    }
    drop(executor);
    for _ in 0..3 {
        let live = stored.snapshot();
        let (seen, state) = (live.shared(), Rc::new(Cell::new(None)));
        let kept = state.clone();
        let harm: Rc<dyn Fn()> = Rc::new(move || kept.set(Some(seen.snapshot())));
        build(Some(harm)).open_with(live)?.verify(POISONED)?;
        stored = state.take().expect("the run was replayed");
    }
    let executor = build(Some(Rc::new(|| panic!("it is replayed")))).open_with(stored)?;
    let error = executor.verify(POISONED).expect_err("it is not replayed");
    assert_eq!(error.park_reason(), Some(ParkReason::EndedProcess));
    executor.verify("run-1")
}
