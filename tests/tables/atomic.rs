//! What a transaction writes and the record of it are one commit; a failed one leaves nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::{Hooked, MemoryStore, Operation, RunState, Store};
use dacapo::{Ctx, Cut, Error, Executor, Result, Table, Workflow};

use super::{BALANCE, LOG, add, balance, new, open, sum};
use crate::faults::Told;

const MOVE: Workflow<i64, i64> = Workflow::new("move");
const ONE: Workflow<u32, u32> = Workflow::new("one");
const HOUR: Duration = Duration::from_secs(3_600);

/// Moves cents from one account to another, and sleeps.
async fn move_cents(ctx: &Ctx, cents: i64) -> Result<i64> {
    let moved = ctx.transaction("move", move |tx| {
        add(tx, "bob", cents)?;
        add(tx, "ada", -cents)
    });
    let left = moved.await?;
    ctx.sleep(HOUR).await;
    Ok(left)
}

fn fill(executor: &Executor, cents: i64) {
    executor.block_on(executor.write(move |tx| add(tx, "ada", cents))).expect("it is filled");
}

#[test]
fn a_failure_leaves_nothing() {
    let executor = new(Executor::builder().workflow(MOVE, move_cents));
    fill(&executor, 100);
    let run = executor.start(MOVE, "much", 101).expect("new");
    let error = executor.block_on(run).expect_err("it is too much");
    assert_eq!(error.to_string(), r#"step 1 "move" failed: ada has too little"#);
    assert_eq!((balance(&executor, "ada"), balance(&executor, "bob")), (Some(100), None));
    let run = executor.start(MOVE, "all", 100).expect("new");
    assert_eq!(executor.block_on(run).expect("it is enough"), 0);
    assert_eq!((balance(&executor, "ada"), balance(&executor, "bob")), (Some(0), Some(100)));
}

/// One that fails in the midst of others takes back its own changes alone, also over those of others.
#[test]
fn others_of_the_same_commit_keep_theirs() {
    let executor = new(Executor::builder().workflow(MOVE, move_cents));
    fill(&executor, 100);
    let amounts = [30, 90, 40, 99, 29];
    let start = |cents: i64| executor.start(MOVE, &format!("move {cents}"), cents).expect("new");
    let ends = amounts.map(start).map(|run| executor.block_on(run).ok());
    assert_eq!(ends, [Some(70), None, Some(30), None, Some(1)]);
    assert_eq!((balance(&executor, "ada"), balance(&executor, "bob")), (Some(1), Some(99)));
}

#[test]
fn a_panic_leaves_nothing() {
    let executor = new(Executor::builder().workflow(ONE, async |ctx: &Ctx, _| {
        let panics = ctx.transaction("spoil", |tx| -> Result<u32> {
            add(tx, "ada", 7)?;
            panic!("no tea")
        });
        assert!(panics.await.expect_err("it panics").is_panic());
        ctx.transaction("look", |tx| Ok::<_, Error>(tx.range(BALANCE, ..).count() as u32)).await
    }));
    let run = executor.start(ONE, "one", 1).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 0);
}

/// At every commit in turn: either both are there, or neither is; and the next process makes it once.
#[test]
fn a_disk_that_refuses_leaves_nothing() {
    for commits in 0..6 {
        let memory = MemoryStore::new();
        fill(&open(Executor::builder(), memory.shared()).0, 100);
        memory.fail_after(commits);
        let builder = || Executor::builder().workflow(MOVE, move_cents);
        let executor = open(builder(), memory.shared()).0;
        let run = executor.start(MOVE, "move", 30).expect("new");
        let ended = executor.block_on(run);
        let later = executor.block_on(executor.write(|tx| add(tx, "cleo", 1)));
        assert_eq!(ended.is_err(), commits < 5, "{ended:?}");
        if ended.is_err() {
            assert!(later.expect_err("it has stopped").is_store());
        }
        drop(executor);

        let (executor, store) = open(builder(), memory.snapshot());
        let row = store.now().find("move").expect("memory can be read");
        let records = row.map_or(0, |row| store.now().history(row.key).expect("it is there").len());
        let moved = balance(&executor, "bob").is_some();
        assert_eq!(moved, records > 1, "{commits} commits: {records} records");
        assert_eq!(
            executor.read(sum).expect("it can be read"),
            100 + i64::from(later_is_there(&executor))
        );
        let run = executor.start(MOVE, "move", 30).expect("it goes on");
        assert_eq!(executor.block_on(run).expect("it ends"), 70);
        assert_eq!((balance(&executor, "ada"), balance(&executor, "bob")), (Some(70), Some(30)));
    }
}

fn later_is_there(executor: &Executor) -> bool {
    balance(executor, "cleo").is_some()
}

/// A refusal while it reads stops the executor, as one while it writes does.
#[test]
fn a_disk_that_does_not_answer() {
    let store = Hooked::new(MemoryStore::new(), |operation: &Operation<'_>| match operation {
        Operation::ReadTables => Err(dacapo::store::Error::refused("the disk does not answer")),
        _ => Ok(()),
    });
    let executor =
        Executor::builder().workflow(MOVE, move_cents).open_with(store).expect("it opens");
    let run = executor.start(MOVE, "move", 30).expect("new");
    assert!(executor.block_on(run).expect_err("it has stopped").is_store());
    let write = executor.block_on(executor.write(|tx| add(tx, "ada", 1)));
    assert!(write.expect_err("it has stopped").is_store());
    assert!(executor.read(sum).expect_err("it has stopped").is_store());
}

/// The call that meets the refusal is told, and so are those behind it.
#[test]
fn who_writes_is_told_of_a_refusal() {
    let memory = MemoryStore::new();
    memory.fail_after(0);
    let executor = open(Executor::builder(), memory).0;
    let write = || executor.write(|tx| add(tx, "ada", 1));
    let (first, second) = executor.block_on(async { futures::join!(write(), write()) });
    assert!(first.expect_err("it is refused").is_store());
    assert!(second.expect_err("it is refused").is_store());
}

#[test]
fn a_gibibyte_is_too_much() {
    const BLOBS: Table<u32, String> = Table::new("blobs");
    let executor = new(Executor::builder().workflow(ONE, async |ctx: &Ctx, mib: u32| {
        let write = ctx.transaction("fill", move |tx| {
            let blob = "x".repeat(1 << 20);
            (0..mib).for_each(|n| tx.put(BLOBS, &n, &blob));
            Ok::<_, Error>(mib)
        });
        write.await
    }));
    let run = executor.start(ONE, "much", 1_024).expect("new");
    assert_eq!(
        executor.block_on(run).expect_err("it is too much").to_string(),
        r#"step 1 "fill" failed: it writes more than the 64 MiB that one transaction may: make several of it"#
    );
    let blobs = |executor: &Executor| executor.read(|tables| tables.range(BLOBS, ..).count());
    assert_eq!(blobs(&executor).expect("it can be read"), 0);
    let run = executor.start(ONE, "enough", 60).expect("new");
    assert_eq!(executor.block_on(run).expect("it is not too much"), 60);
    assert_eq!(blobs(&executor).expect("it can be read"), 60);
}

/// Whatever is called within a transaction is told that it cannot be, and why.
#[test]
fn it_cannot_reach_the_executor() {
    let weak = Rc::new(RefCell::new(None::<dacapo::WeakExecutor>));
    let inner = weak.clone();
    let builder = Executor::builder().workflow(ONE, async move |ctx: &Ctx, _| {
        let weak = inner.borrow().clone().expect("it is set");
        let reach = ctx.transaction("reach", move |tx| {
            let told = weak.with(|executor| {
                [
                    executor.start(ONE, "two", 1).map(drop).expect_err("not here"),
                    executor.read(|_| ()).expect_err("not here"),
                ]
            })?;
            add(tx, "ada", 1)?;
            Ok::<_, Error>(told.map(|error| error.to_string()).join("; "))
        });
        let told = reach.await?;
        assert_eq!(
            told,
            "run \"two\" cannot be started while tables are read or written: do it before or behind \
             that; tables cannot be read while tables are read or written: do it before or behind that"
        );
        Ok::<_, Error>(7)
    });
    let executor = new(builder);
    *weak.borrow_mut() = Some(executor.weak());
    let run = executor.start(ONE, "one", 1).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    let error = executor.read(|_| executor.start(ONE, "three", 1).map(drop)).expect("it is read");
    assert!(error.expect_err("not here").to_string().contains("while tables are read"));
    assert_eq!(balance(&executor, "ada"), Some(1));
}

/// In a replay it is not called, nor in a rehearsal, nor by `verify`.
#[test]
fn a_replay_does_not_call_it() {
    let memory = MemoryStore::new();
    let called = Rc::new(Cell::new(0));
    let builder = || {
        let called = called.clone();
        Executor::builder().workflow(ONE, async move |ctx: &Ctx, n: u32| {
            let called = called.clone();
            let count = ctx.transaction("count", move |tx| {
                called.set(called.get() + 1);
                add(tx, "ada", 1)
            });
            count.await?;
            ctx.sleep(HOUR).await;
            Ok::<_, Error>(n)
        })
    };
    let executor = open(builder(), memory.shared()).0;
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
    executor.verify("one").expect("it is the same");
    drop(executor);
    let executor = open(builder(), memory.shared()).0;
    executor.verify("one").expect("it is the same");
    assert_eq!((called.get(), balance(&executor, "ada")), (1, Some(1)));
}

/// A copy of a run does not do again what the run has done, and does what it had not.
#[test]
fn a_fork_does_not_repeat_it() {
    let builder = Executor::builder().workflow(ONE, async |ctx: &Ctx, n: u32| -> Result<u32> {
        for (number, name) in (1..).zip(["first", "second"]) {
            let id = ctx.id().to_owned();
            ctx.transaction(name, move |tx| {
                tx.put(LOG, &(id.as_str(), number), &1);
                add(tx, "ada", 1)
            })
            .await?;
            ctx.sleep(HOUR).await;
        }
        Ok(n)
    });
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
    assert_eq!(balance(&executor, "ada"), Some(2));
    executor.fork("one", Cut::before(3), "copy").expect("it is copied");
    executor.resume("copy").expect("it goes on");
    let copy = executor.attach(ONE, "copy").expect("it is there");
    executor.block_on(copy).expect("it ends");
    let log = executor.read(|tables| tables.range(LOG, ..).map(|(key, _)| key).collect::<Vec<_>>());
    let row = |id: &str, number| (id.to_owned(), number);
    assert_eq!(log.expect("it can be read"), [row("copy", 2), row("one", 1), row("one", 2)]);
    assert_eq!(balance(&executor, "ada"), Some(3));
}

/// A run that is parked between the request and the commit writes neither half.
#[test]
fn a_run_that_is_parked_before_the_commit() {
    let (told, may_go_on) = (Told::default(), Rc::new(Cell::new(false)));
    let goes_on = may_go_on.clone();
    let builder =
        Executor::builder().observer(told.clone()).workflow(ONE, async move |ctx: &Ctx, n| {
            let paid = ctx.transaction("pay", |tx| add(tx, "ada", 1));
            if goes_on.get() {
                return paid.await.map(|_| n);
            }
            let pending = std::pin::pin!(paid);
            let foreign = async {
                std::future::poll_fn(|_| -> std::task::Poll<()> { panic!("the code stumbles") })
                    .await;
            };
            dacapo::join(pending, foreign).await.0.map(|_| n)
        });
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    assert!(executor.block_on(run).expect_err("it is parked").is_parked());
    assert_eq!(balance(&executor, "ada"), None);
    may_go_on.set(true);
    executor.resume("one").expect("it goes on");
    let run = executor.attach(ONE, "one").expect("it is there");
    executor.block_on(run).expect("it ends");
    assert_eq!(balance(&executor, "ada"), Some(1));
    assert_eq!(executor.info("one").expect("it is there").state, RunState::Completed);
    assert!(!told.0.borrow().is_empty());
}

/// What a run brings from another file is its history: tables stay as they are, here and there.
#[test]
fn an_import_does_not_repeat_it() {
    let (executor, _) = open(Executor::builder().workflow(MOVE, move_cents), MemoryStore::new());
    fill(&executor, 100);
    let run = executor.start(MOVE, "move", 30).expect("new");
    let asleep = async {
        while executor.read(|tables| tables.get(BALANCE, "bob")) == Ok(None) {
            dacapo::yield_now().await;
        }
    };
    executor.block_on(dacapo::race(asleep, async { drop(run.await) }));
    let mut text = Vec::new();
    executor.export(&["move"], &mut text).expect("it is there");

    let elsewhere = new(Executor::builder().workflow(MOVE, move_cents));
    elsewhere.import(&text[..]).expect("it is whole");
    elsewhere.resume("move").expect("it goes on");
    let run = elsewhere.attach(MOVE, "move").expect("it is there");
    assert_eq!(elsewhere.block_on(run).expect("it ends"), 70);
    assert_eq!(elsewhere.read(sum).expect("it can be read"), 0);
    assert_eq!(executor.read(sum).expect("it can be read"), 100);
}
