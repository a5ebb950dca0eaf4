//! What the store costs beside what it stands on, in one process: the disk and redb by themselves
//! first, then the store, as a ratio. Absolute figures drift with the disk; the ratios hold.
//!
//! `cargo run --release -p dacapo-store --example measure [directory]`

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dacapo_store::{Batch, Filter, Options, RedbStore, RunKey, RunRow, Store};
use redb::{Database, TableDefinition};

const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");
const RECORD: [u8; 120] = [7; 120];
const RUNS: u64 = 10_000;

fn main() {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let seq = directory.join(format!("dacapo-measure-{}", std::process::id()));
    fs::create_dir_all(&seq).expect("the directory can be written");
    println!("in {}", seq.display());
    single_commits(&seq);
    packed_commits(&seq);
    cold_open(&seq);
    scan(&seq);
    fs::remove_dir_all(&seq).expect("it was made above");
}

/// One record per commit, in turns, so that a drift of the disk meets all of them.
fn single_commits(seq: &Path) {
    let mut file = File::create(seq.join("plain")).expect("it is new");
    let db = raw(&seq.join("raw-single"));
    let mut store = RedbStore::open(seq.join("store-single")).expect("it is new");
    let mut batch = Batch::new();
    let mut times: [Vec<Duration>; 3] = Default::default();
    for i in 0..3_000 {
        times[0].push(time(|| {
            file.seek(SeekFrom::Start(0)).expect("it is a file");
            file.write_all(&[i as u8; 4096]).expect("there is room");
            file.sync_data().expect("there is room");
        }));
        times[1].push(time(|| insert(&db, i, &RECORD)));
        times[2].push(time(|| {
            batch.clear();
            batch.push(RunKey(0), i, |bytes| bytes.extend_from_slice(&RECORD));
            store.commit(&batch).expect("there is room");
        }));
    }
    let [sync, raw, store] = times.map(median);
    println!("fdatasync of 4 KiB         {:>9.1} µs", micros(sync));
    println!("redb, one row              {:>9.1} µs", micros(raw));
    println!("store, one record          {:>9.1} µs  {}", micros(store), ratio(store, raw));
}

/// 10,000 records of as many runs per commit, again in turns.
fn packed_commits(seq: &Path) {
    const COMMITS: u64 = 150;
    let packed = RECORD.repeat(RUNS as usize);
    let db = raw(&seq.join("raw-packed"));
    let sizes = [("32 MiB", 32 << 20), ("64 MiB", 64 << 20), ("never", usize::MAX)];
    let mut stores = sizes.map(|(name, bytes)| {
        let path = seq.join(format!("store-{name}"));
        (name, Options::new().fold_bytes(bytes).open(&path).expect("it is new"), Duration::ZERO)
    });
    let mut raw = Duration::ZERO;
    let mut batch = Batch::new();
    for i in 0..COMMITS {
        raw += time(|| insert(&db, i, &packed));
        for (_, store, spent) in &mut stores {
            *spent += time(|| commit(store, &mut batch, i));
        }
    }
    let records = COMMITS * RUNS;
    println!("redb, packed               {:>9.0} records/s", per_second(records, raw));
    for (name, mut store, spent) in stores {
        let last = time(|| assert!(store.fold().expect("there is room")));
        println!(
            "store, folding at {name:<8} {:>9.0} records/s  {}; the fold that is left {:.0} ms",
            per_second(records, spent),
            ratio(spent, raw),
            micros(last) / 1e3,
        );
    }
}

/// 10,000 unfinished runs of 100 records each: opening, listing and reading all of them.
fn cold_open(seq: &Path) {
    for (name, is_folded) in [("folded", true), ("in the journal", false)] {
        let path = seq.join(format!("open-{name}"));
        let mut store = Options::new().fold_bytes(usize::MAX).open(&path).expect("it is new");
        fill(&mut store, 100);
        if is_folded {
            store.fold().expect("there is room");
        }
        drop(store);
        let mut records = 0;
        let spent = time(|| {
            let store = RedbStore::open(&path).expect("it is closed");
            for row in store.list(&Filter::new().unfinished()).expect("it is sound") {
                records += store.history(row.key).expect("it is sound").len();
            }
        });
        assert_eq!(records as u64, 100 * RUNS);
        println!("open and read 10,000 x 100 records, {name}: {:.0} ms", micros(spent) / 1e3);
    }
}

/// The rows of 1,000,000 unfinished runs, from a file that was closed: opening and scanning.
fn scan(seq: &Path) {
    const RUNS: u64 = 1_000_000;
    let path = seq.join("scan");
    let mut store = RedbStore::open(&path).expect("it is new");
    let mut batch = Batch::new();
    for first in (0..RUNS).step_by(10_000) {
        batch.clear();
        for key in (first..first + 10_000).map(RunKey) {
            batch.push(key, 0, |bytes| bytes.extend_from_slice(&RECORD));
            let mut row = row(key);
            row.wake_at = Some(row.started_at + key.0);
            batch.put_row(row);
        }
        store.commit(&batch).expect("there is room");
    }
    store.fold().expect("there is room");
    store.close().expect("there is room");
    for order in [Filter::new(), Filter::new().newest_first()] {
        let mut runs = 0;
        let mut store = None;
        let opened = time(|| store = Some(RedbStore::open(&path).expect("it is closed")));
        let store = store.expect("it was opened");
        let scanned = time(|| {
            store.scan(&order.unfinished(), &mut |_| runs += 1).expect("it is sound");
        });
        assert_eq!((runs, store.count().expect("it is sound").unfinished()), (RUNS, RUNS));
        println!(
            "open a file of 1,000,000 unfinished runs: {:.1} ms; scan them: {:.3} µs a row",
            micros(opened) / 1e3,
            micros(scanned) / RUNS as f64,
        );
    }
}

fn fill(store: &mut RedbStore, commits: u64) {
    let mut batch = Batch::new();
    (0..commits).for_each(|seq| commit(store, &mut batch, seq));
}

/// One record of every run; the first commit starts the runs.
fn commit(store: &mut RedbStore, batch: &mut Batch, seq: u64) {
    batch.clear();
    batch.set_time(1_700_000_000_000_000_000 + seq * 1_000_000);
    for run in (0..RUNS).map(RunKey) {
        batch.push(run, seq, |bytes| bytes.extend_from_slice(&RECORD));
        if seq == 0 {
            batch.put_row(row(run));
        }
    }
    store.commit(batch).expect("there is room");
}

fn row(key: RunKey) -> RunRow {
    let id = format!("order-{}", key.0.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut row = RunRow::new(key, id, "order");
    (row.started_at, row.changed_at) = (1_700_000_000_000_000_000, 1_700_000_000_000_000_000);
    row
}

fn raw(path: &Path) -> Database {
    let mut builder = Database::builder();
    builder.set_cache_size(64 << 20);
    builder.create(path).expect("it is new")
}

fn insert(db: &Database, key: u64, value: &[u8]) {
    let txn = db.begin_write().expect("no other writes");
    txn.open_table(JOURNAL).expect("it is ours").insert(key, value).expect("there is room");
    txn.commit().expect("there is room");
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn per_second(records: u64, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64()
}

fn ratio(of: Duration, to: Duration) -> String {
    format!("{:.2} x the time", of.as_secs_f64() / to.as_secs_f64())
}
