//! Refused commits, damaged histories, files in use.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use dacapo::sim::VirtualClock;
use dacapo::store::{Entry, History, Hooked, Hooks, MemoryStore, RunKey};
use dacapo::{Builder, Ctx, Error, Executor, ParkReason, Result, Workflow};
use futures::channel::oneshot;

use super::{history, open, refusing_one_read};

const W: Workflow<u32, u32> = Workflow::new("w");

fn build() -> Builder {
    Executor::builder().seed(1).workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let a = ctx.step("one", async move || Ok::<_, Error>(n + 1)).label(n).await?;
        ctx.sleep(std::time::Duration::from_millis(1)).await;
        let b = ctx.step("two", async move || Ok::<_, Error>(format!("{a}"))).await?;
        Ok(b.parse().expect("it is a number"))
    })
}

/// Every commit in turn is refused, once and for all: nothing of it is delivered, everybody who
/// waits is told, and the next open goes on from the commit before.
#[test]
fn a_commit_that_is_refused() {
    for commits in 0..5 {
        let memory = MemoryStore::new();
        memory.fail_after(commits);
        let executor = build().open_with(memory.shared()).expect("it opens");
        let run = executor.start(W, "run", 1).expect("new");
        let error = executor.block_on(run).expect_err("a commit is refused");
        assert!(error.is_store(), "{error:?}");
        let same = executor.start(W, "another", 1).expect_err("nothing goes on");
        assert_eq!(error, same);
        assert_eq!(executor.block_on(async { 7 }), 7, "the main future goes on");
        drop(executor);

        let (executor, store) = open(build(), memory.snapshot());
        let run = executor.start(W, "run", 1).expect("it goes on");
        assert_eq!(executor.block_on(run).expect("it ends"), 2);
        let records = history(&store.now(), "run").len();
        // A step that was interrupted has a note of that.
        assert!((5..=6).contains(&records), "{records} records after {commits} commits");
    }
}

/// What the end of its runs leaves behind keeps nobody awake: the main future may wait for something
/// else. (Seed 2 of `every_fault_there_is`, crashed right before commit 3: it span for ever.)
#[test]
fn the_main_future_waits_on_after_a_commit_that_is_refused() {
    for commits in 0..5 {
        let (memory, clock) = (MemoryStore::new(), VirtualClock::default());
        memory.fail_after(commits);
        let executor = build().clock(clock.clone()).open_with(memory).expect("it opens");
        let run = executor.start(W, "run", 1).expect("new");
        let main = async {
            run.await.expect_err("a commit is refused");
            clock.sleep(std::time::Duration::from_secs(1)).await;
        };
        let mut driven = pin!(executor.run(main));
        let mut cx = Context::from_waker(Waker::noop());
        let ends = (0..1_000).any(|_| driven.as_mut().poll(&mut cx).is_ready());
        assert!(ends, "it spins after {commits} commits");
    }
}

/// An entry that can be changed.
#[derive(Clone)]
struct Stored {
    seq: u64,
    commit: u64,
    time: u64,
    record: Vec<u8>,
}

/// Hands out a history other than the one that was written.
struct Damage<F>(F);

impl<F: Fn(&mut Vec<Stored>), S> Hooks<S> for Damage<F> {
    fn read(&self, _: RunKey, history: History) -> dacapo::store::Result<History> {
        let mut stored: Vec<_> = history
            .iter()
            .map(|Entry { seq, commit, time, record }| Stored {
                seq,
                commit,
                time,
                record: record.to_vec(),
            })
            .collect();
        (self.0)(&mut stored);
        let entries = stored.iter().map(|Stored { seq, commit, time, record }| Entry {
            seq: *seq,
            commit: *commit,
            time: *time,
            record,
        });
        Ok(entries.collect())
    }
}

/// What is stored of a run that waits for its second step's outcome.
fn stored() -> MemoryStore {
    let (executor, store) = open(build(), MemoryStore::new());
    executor.block_on(executor.start(W, "run", 1).expect("new")).expect("it ends");
    store.take().swap_remove(2)
}

/// Opens what is stored with a damaged history, and says why the run is parked, if it is.
fn open_damaged(damage: impl Fn(&mut Vec<Stored>) + 'static) -> Option<(ParkReason, String)> {
    let store = Hooked::new(stored(), Damage(damage));
    let executor = build().open_with(store).expect("one run does not keep the others");
    let parked = executor.parked().expect("readable").pop()?;
    Some((parked.reason, parked.message))
}

#[test]
fn records_that_are_missing_or_in_another_order() {
    type Case = (fn(&mut Vec<Stored>), &'static str);
    let cases: [Case; 5] = [
        (|history| history.clear(), "the history is missing"),
        (|history| drop(history.remove(0)), "record 0 is missing, record 1 is in its place"),
        (|history| drop(history.remove(1)), "record 1 is missing, record 2 is in its place"),
        (|history| history.swap(1, 2), "record 1 is missing, record 2 is in its place"),
        (
            |history| history[1].record = history[0].record.clone(),
            r#"record 1 cannot be the start of workflow "w": a history begins with its start"#,
        ),
    ];
    for (damage, message) in cases {
        let (reason, found) = open_damaged(damage).expect("it is parked");
        assert_eq!(reason, ParkReason::Damaged);
        let remedy = "restore the file from a backup, then open it again";
        assert_eq!(found, format!("damaged history: {message}; {remedy}"));
    }
}

/// Every bit of every record flipped, every record cut at every length, behind the back of the
/// store's checksums: a message or a run that goes on, and never a panic.
#[test]
fn bits_that_are_flipped_and_records_that_are_cut() {
    let lengths: Vec<_> = history(&stored(), "run").iter().map(|e| e.record.len()).collect();
    let (mut parked, mut tried) = (0, 0);
    for (seq, &length) in lengths.iter().enumerate() {
        for bit in 0..8 * length {
            let flip =
                move |history: &mut Vec<Stored>| history[seq].record[bit / 8] ^= 1 << (bit % 8);
            parked += usize::from(open_damaged(flip).is_some());
            tried += 1;
        }
        for cut in 0..length {
            let cut = open_damaged(move |history| history[seq].record.truncate(cut));
            let (reason, message) = cut.expect("a record that is cut cannot be read");
            assert_eq!(reason, ParkReason::Damaged, "{message}");
        }
    }
    assert!(parked * 2 > tried, "most flips are found: {parked} of {tried}");
}

#[test]
fn a_file_in_use() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join("in-use.redb");
    let _ = std::fs::remove_file(&path);
    let executor = build().open(&path).expect("it is created");
    let error = build().open(&path).expect_err("it is in use");
    assert!(error.is_store());
    assert!(error.to_string().contains("in-use.redb"), "{error}");
    assert_eq!(executor.block_on(executor.start(W, "run", 1).expect("new")).expect("ends"), 2);
    drop(executor);
    let executor = build().open(&path).expect("it is free again");
    assert_eq!(executor.block_on(executor.start(W, "run", 9).expect("ended")).expect("ended"), 2);
}

/// A commit that has no room for all outcomes: those that are left are committed with the next one,
/// unless a delivery in between dropped their operations or ended their run.
#[test]
fn outcomes_that_do_not_fit_into_one_commit() {
    const RACE: Workflow<(), usize> = Workflow::new("race");
    const OTHER: Workflow<(), usize> = Workflow::new("other");
    const BIG: usize = 17 << 20;
    type Ends = Rc<RefCell<BTreeMap<u32, oneshot::Sender<()>>>>;
    let build = |ends: Option<&Ends>| {
        let ends = ends.cloned();
        // A body that ends when it is told to, or at once if there is nobody to tell it.
        let body = move |seq: u32, size: usize| {
            let ends = ends.clone();
            async move || -> Result<String> {
                if let Some(ends) = &ends {
                    let (end, ended) = oneshot::channel();
                    ends.borrow_mut().insert(seq, end);
                    ended.await.expect("it is told");
                }
                Ok("x".repeat(size))
            }
        };
        let other = body.clone();
        Executor::builder()
            .seed(1)
            .workflow(RACE, async move |ctx: &Ctx, ()| -> Result<usize> {
                let (big, loser) = (ctx.step("big", body(1, BIG)), ctx.step("loser", body(3, 1)));
                Ok(dacapo::race(big, loser).await?.len())
            })
            .workflow(OTHER, async move |ctx: &Ctx, ()| -> Result<usize> {
                Ok(ctx.step("small", other(2, 2)).await?.len())
            })
    };
    let store = dacapo::sim::Snapshots::default();
    let ends = Ends::default();
    let executor = build(Some(&ends)).open_with(store.clone()).expect("it opens");
    let race = executor.start(RACE, "race", ()).expect("new");
    let other = executor.start(OTHER, "other", ()).expect("new");
    let both = executor.block_on(async {
        while ends.borrow().len() < 3 {
            dacapo::yield_now().await;
        }
        // In one round, in this order: the big one, another run's, the loser.
        ends.take().into_values().for_each(|end| end.send(()).expect("it waits"));
        dacapo::try_join(race, other).await
    });
    assert_eq!(both.expect("they end"), (BIG, 2));
    executor.verify("race").expect("it replays");
    executor.verify("other").expect("it replays");
    let commits = store.take();
    assert_eq!(history(&commits[1], "other").len(), 1, "its outcome had no room");
    assert_eq!(history(&store.now(), "race").len(), 3, "the loser left no record");
    drop(executor);
    let (executor, store) = open(build(None), commits[1].snapshot());
    let race = executor.start(RACE, "race", ()).expect("the same");
    assert_eq!(executor.block_on(race).expect("it ends"), BIG);
    executor.verify("race").expect("it replays");
    assert_eq!(history(&store.now(), "race").len(), 3);
}

/// After an end in order the bodies of the next process wait for its first commit. If the executor stops
/// before that, since a history cannot be read, the main future has its turn all the same.
#[test]
fn the_main_future_goes_on_after_a_read_that_is_refused() {
    use std::cell::Cell;
    use std::time::Duration;

    use dacapo::Timestamp;
    use dacapo::store::Operation;

    const REST: Workflow<bool, u32> = Workflow::new("rest");
    let stored = MemoryStore::new();
    let open = |clock: &VirtualClock, refuses: &Rc<Cell<bool>>| {
        let refuses = refuses.clone();
        let store = Hooked::new(stored.shared(), move |operation: &Operation<'_>| {
            match (operation, refuses.get()) {
                (Operation::History(_), true) => {
                    Err(dacapo::store::Error::refused("the disk does not answer"))
                }
                _ => Ok(()),
            }
        });
        let rest = async |ctx: &Ctx, sleeps: bool| {
            if sleeps {
                ctx.sleep(Duration::from_secs(60)).await;
            }
            ctx.step("never", std::future::pending::<Result<u32>>).await
        };
        Executor::builder().workflow(REST, rest).clock(clock.clone()).open_with(store)
    };
    let (clock, refuses) = (VirtualClock::default(), Rc::<Cell<bool>>::default());
    let executor = open(&clock, &refuses).expect("memory");
    let runs = [("asleep", true), ("awake", false)];
    let runs = runs.map(|(id, sleeps)| executor.start(REST, id, sleeps).expect("new"));
    executor.block_on(async {
        for run in &runs {
            run.accepted().await.expect("it is committed");
        }
        clock.sleep(Duration::from_secs(2)).await;
        executor.shutdown(Duration::ZERO).await.expect("it ends in order");
    });
    drop((runs, executor));
    let executor = open(&clock, &refuses).expect("memory");
    refuses.set(true);
    clock.set(Timestamp::default() + Duration::from_secs(70));
    assert_eq!(executor.block_on(async { 7 }), 7);
    let error = executor.start(REST, "another", false).expect_err("it has stopped");
    assert!(error.to_string().contains("the disk does not answer"), "{error}");
}

const WAITER: Workflow<(), ()> = Workflow::new("waiter");
const SLEEPER: Workflow<(), ()> = Workflow::new("sleeper");

/// A run that is held comes to its end, and the disk does not answer one of the reads for that. It is not final then:
/// no run ends without its child.
#[test]
fn a_child_ends_with_its_parent_whichever_read_is_refused() {
    use std::cell::Cell;
    use std::time::Duration;

    for is_deleted in [false, true] {
        let (mut refused, mut is_left) = (0_u32, false);
        while !is_left {
            let (clock, memory) = (VirtualClock::default(), MemoryStore::new());
            let left = Rc::<Cell<Option<u32>>>::default();
            let store = refusing_one_read(&memory, left.clone());
            let builder = || {
                let waiter = async |ctx: &Ctx, ()| ctx.child(SLEEPER, ()).id("sleeper").await;
                let sleeper = async |ctx: &Ctx, ()| {
                    ctx.sleep(Duration::from_secs(1_000)).await;
                    Ok::<_, Error>(())
                };
                let builder = Executor::builder().workflow(WAITER, waiter);
                builder.workflow(SLEEPER, sleeper).clock(clock.clone()).resident_max(0)
            };
            let executor = builder().open_with(store).expect("memory");
            let _run = executor.start(WAITER, "waiter", ()).expect("it starts");
            executor.block_on(clock.sleep(Duration::from_secs(10)));
            executor.hold("waiter").expect("it goes on");
            left.set(Some(refused));
            let end = match is_deleted {
                true => executor.delete("waiter"),
                false => executor.terminate("waiter"),
            };
            let told = executor.block_on(end);
            is_left = left.get().is_some();
            drop(executor);
            let executor = builder().open_with(memory).expect("memory");
            executor.block_on(clock.sleep(Duration::from_secs(1)));
            let states = ["waiter", "sleeper"].map(|id| executor.info(id).map(|run| run.state));
            let is_whole = match states.each_ref().map(|state| state.as_ref().map(|s| s.name())) {
                [Ok("parked"), Ok(child)] => child == "running",
                [_, Ok(child)] => child == "cancelled",
                [_, Err(_)] => false,
            };
            assert!(is_whole, "deleted: {is_deleted}, read {refused}: {told:?}, {states:?}");
            refused += 1;
        }
        assert!(refused > 3, "{refused} reads");
    }
}
