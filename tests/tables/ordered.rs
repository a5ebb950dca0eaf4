//! The order in which transactions are carried out, and what divides them into commits.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use dacapo::store::{MemoryStore, Store};
use dacapo::{Ctx, Error, Executor, Key, Result, Table, Workflow, join, join_all, race};

use super::{LOG, add, balance, new, open, sum};

const ONE: Workflow<u32, u32> = Workflow::new("one");

/// Adds a row with the next number, under a name.
fn log(ctx: &Ctx, name: &'static str) -> dacapo::Step<u32> {
    let key = name.to_owned();
    ctx.transaction(name, move |tx| {
        let next = tx.range(LOG, ..).count() as u32;
        tx.put(LOG, &(key.as_str(), next), &0);
        Ok::<_, Error>(next)
    })
}

/// They are in the order of their first polls, not in that of their numbers, whichever tasks they are of.
#[test]
fn they_are_in_the_order_of_the_code() {
    let executor = new(Executor::builder().workflow(ONE, async |ctx: &Ctx, n| {
        let (mut first, mut second) =
            (pin!(log(ctx, "built first")), pin!(log(ctx, "built second")));
        let task = ctx.spawn(async |ctx| log(ctx, "of a task").await);
        poll_fn(|cx| {
            assert!(second.as_mut().poll(cx).is_pending());
            assert!(first.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let (first, second) = join(first, second).await;
        assert_eq!((second?, first?, task.await?), (0, 1, 2));
        Ok::<_, Error>(n)
    }));
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
}

/// The same when the end of a process came between: the next one asks in the same order.
#[test]
fn the_next_process_has_the_same_order() {
    let memory = MemoryStore::new();
    let builder = || {
        Executor::builder().workflow(ONE, async |ctx: &Ctx, n| {
            let (mut first, mut second) = (pin!(log(ctx, "first")), pin!(log(ctx, "second")));
            poll_fn(|cx| {
                let _ = second.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
            let (first, second) = join(&mut first, &mut second).await;
            assert_eq!((second?, first?), (0, 1));
            Ok::<_, Error>(n)
        })
    };
    let executor = open(builder(), memory.shared()).0;
    memory.fail_after(1);
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect_err("the disk is full");
    drop(executor);
    let executor = open(builder(), memory.snapshot()).0;
    let run = executor.attach(ONE, "one").expect("it is there");
    executor.block_on(run).expect("it ends");
}

/// Those of many runs share commits, each sees those before it, and none is lost.
#[test]
fn a_thousand_share_few_commits() {
    let (executor, store) = open(
        Executor::builder().workflow(ONE, async |ctx: &Ctx, n: u32| {
            ctx.transaction("add", move |tx| add(tx, "ada", n.into())).await?;
            Ok::<_, Error>(n)
        }),
        MemoryStore::new(),
    );
    let runs = (1..=1_000).map(|n| executor.start(ONE, &format!("run {n}"), n).expect("new"));
    let runs: Vec<_> = runs.collect();
    let ends = executor.block_on(futures::future::join_all(runs));
    assert!(ends.iter().all(Result::is_ok));
    assert_eq!(balance(&executor, "ada"), Some(500_500));
    assert!(store.now().last_commit() <= 6, "{}", store.now().last_commit());
}

/// All runs wait for a transaction: those of one commit stop after 5 ms.
#[test]
fn slow_ones_come_one_in_a_commit() {
    let memory = MemoryStore::new();
    let builder = Executor::builder().workflow(ONE, async |ctx: &Ctx, n| {
        let slow = |name: &'static str| {
            ctx.transaction(name, |tx| {
                let begun = std::time::Instant::now();
                while begun.elapsed() < Duration::from_millis(6) {
                    std::hint::spin_loop();
                }
                add(tx, "ada", 1)
            })
        };
        join_all(["a", "b", "c"].map(slow)).await.into_iter().collect::<Result<Vec<_>>>()?;
        Ok::<_, Error>(n)
    });
    let executor = builder.open_with(memory.shared()).expect("it opens");
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
    let key = memory.find("one").expect("it can be read").expect("it is there").key;
    let history = memory.history(key).expect("it can be read");
    let commits: Vec<_> = history.iter().map(|entry| entry.commit).collect();
    assert_eq!(commits, [1, 2, 3, 4, 5], "a start, three of them, and the end");
    assert_eq!(balance(&executor, "ada"), Some(3));
}

/// One that is dropped before the commit leaves nothing; of two that race both are carried out.
#[test]
fn what_is_dropped_before_the_commit_is_void() {
    let executor = new(Executor::builder().workflow(ONE, async |ctx: &Ctx, n| {
        let mut dropped = Box::pin(ctx.transaction("dropped", |tx| add(tx, "dropped", 1)));
        poll_fn(|cx| {
            assert!(dropped.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(dropped);
        let one = ctx.transaction("one", |tx| add(tx, "one", 1));
        let other = ctx.transaction("other", |tx| add(tx, "other", 1));
        assert_eq!(race(one, other).await?, 1);
        Ok::<_, Error>(n)
    }));
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
    executor.verify("one").expect("it is the same in a replay");
    let balances = ["dropped", "one", "other"].map(|name| balance(&executor, name));
    assert_eq!(balances, [None, Some(1), Some(1)]);
}

/// What somebody writes from outside is in its order among them.
#[test]
fn calls_from_outside_are_in_their_order() {
    let executor = new(Executor::builder());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let write = |n: i64| {
        let seen = seen.clone();
        executor.write(move |tx| {
            seen.borrow_mut().push(n);
            add(tx, "ada", n)
        })
    };
    let sums = executor.block_on(async { futures::join!(write(1), write(-7), write(2), write(3)) });
    assert_eq!((sums.0.ok(), sums.2.ok(), sums.3.ok()), (Some(1), Some(3), Some(6)));
    assert_eq!(sums.1.expect_err("too little").to_string(), "ada has too little");
    assert_eq!(*seen.borrow(), [1, -7, 2, 3]);
    assert_eq!(executor.read(sum).expect("it can be read"), 6);
    let panics = executor.write(|_| -> Result<()> { panic!("no tea") });
    let error = executor.block_on(panics).expect_err("it panics");
    assert!(error.is_panic(), "{error:?}");
    assert_eq!(error.to_string(), "the transaction panicked: no tea");
}

/// A range is read as it will be when what was written is committed, over pages and at their edges.
#[test]
fn a_range_is_that_of_what_was_written() {
    let executor = new(Executor::builder());
    let number = |n: u32| ("x".to_owned(), n);
    executor
        .block_on(executor.write(move |tx| {
            (0..300).filter(|n| n % 3 > 0).for_each(|n| tx.put(LOG, &number(n), &n.into()));
            Ok::<_, Error>(())
        }))
        .expect("it is written");
    let checked = executor.write(move |tx| {
        for n in (0..300).step_by(2) {
            tx.remove(LOG, &number(n));
        }
        (0..300).step_by(5).for_each(|n| tx.put(LOG, &number(n), &-1));
        let expected =
            |n: &u32| n.is_multiple_of(5) || !n.is_multiple_of(2) && !n.is_multiple_of(3);
        for from in 0..300 {
            let to = from + 7 * (from % 60);
            let rows = tx.range(LOG, number(from)..number(to)).map(|((_, n), _)| n);
            let all: Vec<_> = (from..to.min(300)).filter(expected).collect();
            assert_eq!(rows.collect::<Vec<_>>(), all, "{from}..{to}");
        }
        assert_eq!(tx.range(LOG, number(9)..number(3)).count(), 0, "nothing is in it");
        Ok::<_, Error>(tx.range(LOG, ..).map(|(_, n)| n).collect::<Vec<_>>())
    });
    let within = executor.block_on(checked).expect("it is written");
    let after = executor.read(|tables| tables.range(LOG, ..).map(|(_, n)| n).collect::<Vec<_>>());
    assert_eq!(within, after.expect("it can be read"));
}

/// Whatever is put in, in whatever order, comes out in the order of the type.
#[test]
fn rows_are_in_the_order_of_their_keys() {
    fn check<K: Key + Ord + Clone>(executor: &Executor, table: Table<K, ()>, mut keys: Vec<K>) {
        let put = keys.clone();
        let written = executor.write(move |tx| {
            put.iter().rev().for_each(|key| tx.put(table, key, &()));
            Ok::<_, Error>(tx.range(table, ..).map(|(key, ())| key).collect::<Vec<_>>())
        });
        keys.sort();
        keys.dedup();
        assert_eq!(executor.block_on(written).expect("it is written"), keys);
        let read = executor.read(|tables| tables.range(table, ..).map(|(key, ())| key).collect());
        assert_eq!(read, Ok(keys));
    }
    let executor = new(Executor::builder());
    let texts = ["a", "", "\0", "a\0", "a\u{1}", "ab", "b", "ø", "\0\0"].map(str::to_owned);
    check(&executor, Table::new("texts"), texts.to_vec());
    check(&executor, Table::new("numbers"), vec![u64::MAX, 0, 256, 255, 1]);
    check(&executor, Table::new("signed"), vec![0, -1, i32::MIN, 1, i32::MAX, -256]);
    let pairs =
        texts.iter().flat_map(|text| [(text.clone(), -1i8, true), (text.clone(), 1, false)]);
    check(&executor, Table::new("tuples"), pairs.collect());
}

/// Names that the store has for its own tables, and such as nobody would think of: each is a table of the user, and
/// the runs are as they were.
#[test]
fn names_of_the_store_are_free() {
    const NAMES: [&str; 10] = [
        "journal",
        "unfinished",
        "ended",
        "ids",
        "blocks",
        "chunks in use",
        "notes",
        "shapes",
        "user",
        "a\0b",
    ];
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = directory.join(format!("names-{}.redb", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let open = || Executor::builder().workflow(NAMED, named).open(&path).unwrap();
    let table = Table::<String, String>::new;
    let executor = open();
    let run = executor.start(NAMED, "run", 7).unwrap();
    let write = executor.write(move |tx| {
        NAMES.iter().for_each(|name| tx.put(table(name), "key", &name.to_string()));
        Ok::<_, Error>(())
    });
    executor.block_on(write).unwrap();
    assert_eq!(executor.block_on(run).unwrap(), 7);
    drop(executor);
    let executor = open();
    for name in NAMES {
        let value = executor.read(|tables| tables.get(table(name), "key")).unwrap();
        assert_eq!(value.as_deref(), Some(name));
    }
    assert_eq!(executor.block_on(executor.attach(NAMED, "run").unwrap()).unwrap(), 7);
    drop(executor);
    std::fs::remove_file(path).unwrap();
}

const NAMED: Workflow<u32, u32> = Workflow::new("named");

async fn named(ctx: &Ctx, n: u32) -> Result<u32> {
    ctx.step("work", async move || Ok::<_, Error>(n)).await
}
