//! A transaction has the policies of any step.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{MemoryStore, Store};
use dacapo::{
    Builder, Clock, Ctx, Error, Executor, ParkReason, Retry, Step, Table, Timestamp, Workflow,
};

use super::{add, balance, new, open};

const ONE: Workflow<u32, i64> = Workflow::new("one");
const SOON: Retry = Retry::exponential(Duration::from_millis(5)).max_attempts(3);

/// A run with one transaction, which fails the first times.
fn failing(
    times: u32,
    policy: impl Fn(Step<i64>) -> Step<i64> + Copy + 'static,
) -> (Builder, Rc<Cell<u32>>) {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let builder = Executor::builder().workflow(ONE, async move |ctx: &Ctx, _| {
        let counted = counted.clone();
        let pay = ctx.transaction("pay", move |tx| {
            let sum = add(tx, "ada", 1)?;
            counted.set(counted.get() + 1);
            if counted.get() <= times { Err(Error::new("not yet")) } else { Ok(sum) }
        });
        policy(pay).await
    });
    (builder, calls)
}

#[test]
fn it_is_tried_again() {
    let (builder, calls) = failing(2, |pay| pay.retry(SOON));
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    assert_eq!(executor.block_on(run).expect("the third succeeds"), 1);
    assert_eq!((calls.get(), balance(&executor, "ada")), (3, Some(1)));
}

#[test]
fn it_gives_up() {
    let (builder, calls) = failing(9, |pay| pay.retry(SOON));
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    let error = executor.block_on(run).expect_err("three are not enough");
    assert_eq!(error.to_string(), r#"step 1 "pay" failed, after 3 attempts: not yet"#);
    assert_eq!((calls.get(), balance(&executor, "ada")), (3, None));
}

#[test]
fn retry_if_decides() {
    let (builder, calls) =
        failing(9, |pay| pay.retry(SOON).retry_if(|error| error.to_string() != "not yet"));
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect_err("it is not worth another");
    assert_eq!(calls.get(), 1);
}

#[test]
fn it_parks_its_run() {
    let (builder, calls) = failing(2, |pay| pay.or_park());
    let executor = new(builder);
    let run = executor.start(ONE, "one", 1).expect("new");
    let error = executor.block_on(run).expect_err("it is parked");
    assert_eq!(error.park_reason(), Some(ParkReason::GaveUp));
    assert_eq!(balance(&executor, "ada"), None);
    executor.resume("one").expect("it is taken up");
    let run = executor.attach(ONE, "one").expect("it is there");
    assert!(executor.block_on(run).expect_err("once more").is_parked());
    executor.resume("one").expect("it is taken up");
    let run = executor.attach(ONE, "one").expect("it is there");
    assert_eq!(executor.block_on(run).expect("the third succeeds"), 1);
    assert_eq!((calls.get(), balance(&executor, "ada")), (3, Some(1)));
}

/// The wait for the next attempt goes on in the next process, and the attempts count.
#[test]
fn a_long_wait_outlives_the_process() {
    let memory = MemoryStore::new();
    let policy =
        |pay: Step<i64>| pay.retry(Retry::exponential(Duration::from_secs(60)).max_attempts(2));
    let (builder, calls) = failing(1, policy);
    let executor = open(builder, memory.shared()).0;
    let run = executor.start(ONE, "one", 1).expect("new");
    let waits = async {
        while executor.retrying().expect("it is known").is_empty() || memory.last_commit() < 2 {
            dacapo::yield_now().await;
        }
    };
    executor.block_on(dacapo::race(async { drop(run.await) }, waits));
    let retrying = executor.retrying().expect("it is known");
    assert_eq!((retrying.len(), retrying[0].attempts), (1, 1));
    drop(executor);

    let (builder, again) = failing(9, policy);
    let executor = open(builder, memory.shared()).0;
    let run = executor.attach(ONE, "one").expect("it is there");
    let error = executor.block_on(run).expect_err("the second is the last");
    assert_eq!(error.to_string(), r#"step 1 "pay" failed, after 2 attempts: not yet"#);
    assert_eq!((calls.get(), again.get()), (1, 1));
}

/// It blocks, so it cannot be cut off: one that took too long has failed, and leaves nothing.
#[test]
fn a_late_one_leaves_nothing() {
    let clock = VirtualClock::default();
    let ticking = clock.clone();
    let builder = Executor::builder().clock(clock).workflow(ONE, async move |ctx: &Ctx, _| {
        let ticking = ticking.clone();
        let slow = ctx.transaction("slow", move |tx| {
            ticking.jump(ticking.now() + Duration::from_secs(2));
            add(tx, "ada", 1)
        });
        slow.timeout(Duration::from_secs(1)).await
    });
    let executor = builder.in_memory();
    let run = executor.start(ONE, "one", 1).expect("new");
    // The clock of a simulation that is set forward is a wall clock; no time has passed by the other.
    executor.block_on(run).expect("it was in time");
    assert_eq!(balance(&executor, "ada"), Some(1));

    let builder = Executor::builder().workflow(ONE, async |ctx: &Ctx, _| {
        let slow = ctx.transaction("slow", |tx| {
            std::thread::sleep(Duration::from_millis(3));
            add(tx, "ada", 1)
        });
        slow.timeout(Duration::from_millis(1)).await
    });
    let executor = builder.in_memory();
    let run = executor.start(ONE, "one", 1).expect("new");
    let error = executor.block_on(run).expect_err("it was late");
    assert!(error.is_elapsed(), "{error:?}");
    assert_eq!(balance(&executor, "ada"), None);
}

/// What ends the process in a transaction ends it a few times at most: the attempts count.
#[test]
fn the_end_of_the_process_counts() {
    let memory = MemoryStore::new();
    let calls = Rc::new(Cell::new(0));
    let builder = || {
        let calls = calls.clone();
        Executor::builder().workflow(ONE, async move |ctx: &Ctx, _| {
            let calls = calls.clone();
            let pay = ctx.transaction("pay", move |tx| {
                calls.set(calls.get() + 1);
                add(tx, "ada", 1)
            });
            pay.await
        })
    };
    let error = loop {
        assert!(calls.get() < 100, "it goes on for ever");
        // The start is committed, or that it was interrupted; and then the process ends.
        memory.fail_after(1);
        let executor = open(builder(), memory.shared()).0;
        let run = executor.start(ONE, "one", 1).expect("it is there");
        let error = executor.block_on(run).expect_err("it never succeeds");
        if !error.is_store() {
            break error;
        }
    };
    assert_eq!(error.park_reason(), Some(ParkReason::EndedProcess));
    assert!(calls.get() >= 3, "{calls:?}");
    let executor = open(builder(), memory.snapshot()).0;
    executor.resume("one").expect("somebody wants it");
    let run = executor.attach(ONE, "one").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it succeeds"), 1);
}

/// A value that is of another type now, and a key: both are told, and nothing is written.
#[test]
fn what_does_not_decode_fails_it() {
    const STOCK: Table<String, u64> = Table::new("stock");
    const TEXTS: Table<String, String> = Table::new("stock");
    const NUMBERS: Table<u64, u64> = Table::new("stock");
    let executor = new(Executor::builder().workflow(ONE, async |ctx: &Ctx, which| {
        let read = ctx.transaction("read", move |tx| {
            tx.put(STOCK, "cup", &1);
            match which {
                0 => drop(tx.get(TEXTS, "tea")),
                1 => drop(tx.range(NUMBERS, ..).count()),
                _ => drop(tx.remove(TEXTS, "tea")),
            }
            // Nothing is read any more: the transaction has failed.
            assert_eq!(tx.get(STOCK, "tea"), None);
            Ok::<_, Error>(1)
        });
        read.retry(SOON).await
    }));
    executor
        .block_on(executor.write(|tx| {
            tx.put(STOCK, "tea", &7);
            Ok::<_, Error>(())
        }))
        .expect("it is put");
    for (which, message) in [
        (
            0,
            r#"step 1 "read" failed: the value of "tea" in the table "stock" does not decode as alloc::string::String: "#,
        ),
        (1, r#"step 1 "read" failed: the table "stock" has the key "#),
        (
            2,
            r#"step 1 "read" failed: the value of "tea" in the table "stock" does not decode as alloc::string::String: "#,
        ),
    ] {
        let run = executor.start(ONE, &format!("run {which}"), which).expect("new");
        let error = executor.block_on(run).expect_err("it does not decode").to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let stock = executor.read(|tables| tables.range(STOCK, ..).collect::<Vec<_>>());
    assert_eq!(stock.expect("it can be read"), [("tea".to_owned(), 7)]);
}

/// The time is that of the commit, which is that of the record.
#[test]
fn its_time_is_that_of_the_commit() {
    let clock = VirtualClock::new(Timestamp::from_nanos(7_000));
    let executor = Executor::builder()
        .clock(clock)
        .workflow(ONE, async |ctx: &Ctx, _| {
            let now = ctx.transaction("now", |tx| Ok::<_, Error>(tx.now())).await?;
            assert_eq!(now, ctx.now());
            Ok::<_, Error>(1)
        })
        .in_memory();
    let run = executor.start(ONE, "one", 1).expect("new");
    executor.block_on(run).expect("it ends");
}
