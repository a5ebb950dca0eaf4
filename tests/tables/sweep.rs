//! A crash at every operation on the disk: what transactions wrote is there with their records, or
//! neither is.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use dacapo::sim::{Disk, DiskFault, Loss, VirtualClock};
use dacapo::store::{Options, RedbStore, Store};
use dacapo::{Ctx, Error, Executor, Result, Timestamp, Workflow};

use super::{BALANCE, LOG, add, sum};

const MOVE: Workflow<i64, u32> = Workflow::new("move");
const RUNS: [(&str, i64); 2] = [("a", 3), ("b", -2)];
const MOVES: u32 = 3;
const ALL: i64 = 100;

/// Moves from ada to bob, one after the other.
async fn move_cents(ctx: &Ctx, cents: i64) -> Result<u32> {
    for number in 0..MOVES {
        let id = ctx.id().to_owned();
        let moved = ctx.transaction("move", move |tx| -> Result<()> {
            tx.put(LOG, &(id.as_str(), number), &cents);
            add(tx, "ada", -cents)?;
            add(tx, "bob", cents)?;
            Ok(())
        });
        moved.await?;
    }
    Ok(MOVES)
}

fn store(disk: &Disk, fold_bytes: usize) -> Result<RedbStore, dacapo::store::Error> {
    Options::new().fold_bytes(fold_bytes).cache_bytes(1 << 20).open_backend(disk.clone())
}

fn open(store: RedbStore) -> Result<Executor> {
    let clock = VirtualClock::new(Timestamp::from_nanos(store.time()));
    Executor::builder().clock(clock).seed(7).workflow(MOVE, move_cents).open_with(store)
}

/// Runs to the end, or until the disk fails.
fn live(disk: &Disk, fold_bytes: usize) -> Result<()> {
    let executor = open(store(disk, fold_bytes)?)?;
    let mut runs = Vec::new();
    for (id, cents) in RUNS {
        runs.push(executor.start(MOVE, id, cents)?);
    }
    let main = async {
        for run in runs {
            run.await?;
        }
        Ok::<_, Error>(())
    };
    let mut driven = pin!(executor.run(main));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000 {
        if let std::task::Poll::Ready(ended) = driven.as_mut().poll(&mut cx) {
            return ended;
        }
    }
    panic!("it comes to no end");
}

/// The tables and the histories say the same.
fn check(disk: &Disk, fold_bytes: usize, context: &str) {
    let Ok(store) = store(disk, fold_bytes) else { panic!("{context}: it does not open") };
    let mut recorded = Vec::new();
    for (id, _) in RUNS {
        let row = store.find(id).expect("it can be read");
        let history = row.map(|row| store.history(row.key).expect("it can be read"));
        // Those of a step, as an observer of the histories sees them.
        recorded.push(history.map_or(0, |history| {
            history
                .iter()
                .filter(|entry| {
                    entry.record.windows(4).any(|part| part == b"move") && entry.seq > 0
                })
                .count()
        }));
    }
    let executor = open(store).expect("it opens");
    let (sum, log, bob) = executor
        .read(|tables| {
            let log = RUNS.map(|(id, _)| {
                let own = |n| (id.to_owned(), n);
                tables.range(LOG, own(0)..=own(u32::MAX)).count()
            });
            let moved: i64 = tables.range(LOG, ..).map(|(_, cents)| cents).sum();
            (sum(tables), log, (tables.get(BALANCE, "bob").unwrap_or(0), moved))
        })
        .expect("it can be read");
    assert_eq!(sum, ALL, "{context}: the sum");
    assert_eq!(log.to_vec(), recorded, "{context}: rows, and records");
    assert_eq!(bob.0, 50 + bob.1, "{context}: the balance is that of the log");
}

#[test]
fn a_crash_at_every_operation() {
    let mut crashes = 0;
    for fold_bytes in [400, 32 << 20] {
        let start = Disk::default();
        let executor =
            open(store(&start, fold_bytes).expect("nothing fails yet")).expect("it opens");
        let filled = executor.write(|tx| {
            add(tx, "ada", 50)?;
            add(tx, "bob", 50)
        });
        executor.block_on(filled).expect("nothing fails yet");
        drop(executor);
        let whole = Disk::new(start.bytes());
        live(&whole, fold_bytes).expect("nothing fails");
        check(&whole, fold_bytes, "without a crash");
        for operation in 1..=whole.operations() {
            let disk = Disk::new(start.bytes());
            disk.fail(operation, DiskFault::Crash);
            let _cut_off = live(&disk, fold_bytes);
            for loss in Loss::each(operation) {
                let context = format!("folded at {fold_bytes}, operation {operation}, {loss:?}");
                let found = disk.after_crash(loss);
                check(&Disk::new(found.bytes()), fold_bytes, &context);
                live(&found, fold_bytes).unwrap_or_else(|why| panic!("{context}: {why:?}"));
                check(&found, fold_bytes, &format!("{context}, at the end"));
                crashes += 1;
            }
        }
    }
    crate::coverage::add(&format!(
        "programs=2 crashes={crashes} restarts={crashes} storage_faults={crashes}"
    ));
    assert!(crashes > 100, "{crashes}");
}
