//! Histories that are damaged behind the back of the store's checksums.
//!
//! Whatever the bytes say, opening such a history must not panic, must not change it, and must
//! leave the run either parked or able to go on to its end.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Batch, Entry, MemoryStore, RunKey, RunRow, Store};
use dacapo::{Builder, Ctx, Error, Executor, Result, Timestamp, Workflow, join};

const W: Workflow<u32, u32> = Workflow::new("w");
const RUN: &str = "run";

/// A workflow with most kinds of records: concurrent and labelled steps, a failure, a sleep, a
/// task, and a step that runs at most once.
async fn workflow(ctx: &Ctx, n: u32) -> Result<u32> {
    let value = |n| async move || Ok::<u32, Error>(n);
    let task = ctx.spawn(async move |ctx: &Ctx| ctx.step("task", value(n)).await);
    let left = ctx.step("left", value(n + 1)).label("tea");
    let right = ctx.step("right", async || Err::<u32, Error>(Error::new("no cup")));
    let (left, right) = join(left, right).await;
    ctx.sleep(Duration::from_secs(1)).await;
    let once = ctx.step("once", value(3)).at_most_once().await?;
    Ok(left? + right.unwrap_or(1) + task.await? + once)
}

fn build() -> Builder {
    Executor::builder().seed(1).poll_budget(10_000).workflow(W, workflow)
}

fn open(stored: MemoryStore) -> Executor {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
    build().clock(clock).open_with(stored).expect("one run does not keep an executor from opening")
}

/// An entry that can be changed.
struct Recorded {
    time: u64,
    record: Vec<u8>,
}

/// The history of a whole run.
fn recorded() -> Vec<Recorded> {
    let stored = MemoryStore::new();
    let executor = open(stored.shared());
    let run = executor.start(W, RUN, 1).expect("it is new");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    let history = stored.history(RunKey(0)).expect("memory can be read");
    let recorded = |entry: Entry<'_>| Recorded { time: entry.time, record: entry.record.to_vec() };
    history.iter().map(recorded).collect()
}

/// A store that holds `entries` as the history of an unfinished run.
fn stored(entries: &[Recorded]) -> MemoryStore {
    let mut store = MemoryStore::new();
    let mut batch = Batch::new();
    batch.put_row(RunRow::new(RunKey(0), RUN, W.name()));
    store.commit(&batch).expect("memory takes it");
    for (place, entry) in (0..).zip(entries) {
        batch.clear();
        batch.set_time(entry.time);
        batch.push(RunKey(0), place, |bytes| bytes.extend_from_slice(&entry.record));
        store.commit(&batch).expect("memory takes it");
    }
    store
}

/// Three bytes are one change: what, where, and how.
fn damage(entries: &mut Vec<Recorded>, change: &[u8; 3]) {
    let [what, place, how] = *change;
    if entries.is_empty() {
        return;
    }
    let place = usize::from(place) % entries.len();
    let record = &mut entries[place].record;
    let byte = usize::from(how) % record.len().max(1);
    match what % 6 {
        0 if !record.is_empty() => record[byte] ^= 1 << (what / 6 % 8),
        1 => record.truncate(byte),
        2 => record.insert(byte.min(record.len()), what),
        3 => drop(entries.remove(place)),
        4 => {
            let other = usize::from(how) % entries.len();
            entries.swap(place, other);
        }
        _ => entries.truncate(place + 1),
    }
}

/// Damages the history as `data` says, and takes the run up again.
pub(crate) fn check(data: &[u8]) {
    let mut entries = recorded();
    let (changes, _) = data.as_chunks::<3>();
    changes.iter().take(8).for_each(|change| damage(&mut entries, change));

    let stored = stored(&entries);
    let executor = open(stored.shared());
    let parked = executor.parked().expect("memory can be read");
    let run = executor.attach(W, RUN).expect("the run is there");
    match executor.block_on(run) {
        Ok(_) => assert!(parked.is_empty()),
        Err(error) if error.is_parked() => {
            let held = stored.history(RunKey(0)).expect("memory can be read");
            assert!(held.len() >= entries.len(), "nothing is lost");
        }
        Err(error) => assert!(parked.is_empty(), "it failed by itself: {error:?}"),
    }
}
