//! The files.

use std::fs;
use std::path::{Path, PathBuf};

use dacapo::store::{Options, Store};
use dacapo::{Executor, try_join_all};

use super::workflows::{LONG, ORDER, Order, Watch, build};

pub(crate) struct Files {
    /// Runs that have ended; the journal was folded.
    pub(crate) folded: PathBuf,
    /// The same with a long journal, closed.
    pub(crate) closed: PathBuf,
    /// The same as its process would have left it, had it been killed.
    pub(crate) killed: PathBuf,
    /// One run with as many steps.
    pub(crate) long: PathBuf,
}

/// So many runs stay in the journal: it is folded when it has 32 MiB.
const IN_JOURNAL: u32 = 60_000;

pub(crate) fn make(folder: &Path, runs: u32) -> Files {
    let path = |name| folder.join(name);
    let files = Files {
        folded: path("folded.redb"),
        closed: path("closed.redb"),
        killed: path("killed.redb"),
        long: path("long.redb"),
    };
    if !files.folded.exists() {
        let executor = open(&draft(folder));
        finish(&executor, 0..runs);
        drop(executor);
        fold(&draft(folder));
        give_name(folder, &files.folded);
    }
    if !files.killed.exists() {
        fs::copy(&files.folded, draft(folder)).expect("there is room");
        let executor = open(&draft(folder));
        finish(&executor, runs..runs + IN_JOURNAL.min(runs));
        executor.backup(&files.killed).expect("there is room");
        drop(executor);
        give_name(folder, &files.closed);
    }
    if !files.long.exists() {
        let executor = open(&draft(folder));
        let run = executor.start(LONG, "long", runs).expect("it is new");
        executor.block_on(run).expect("it ends");
        drop(executor);
        fold(&draft(folder));
        give_name(folder, &files.long);
    }
    files
}

pub(crate) fn draft(folder: &Path) -> PathBuf {
    folder.join("draft.redb")
}

fn open(path: &Path) -> Executor {
    build(&Watch::default()).open(path).expect("it is a store, or none yet")
}

fn finish(executor: &Executor, runs: std::ops::Range<u32>) {
    let numbers: Vec<_> = runs.collect();
    for some in numbers.chunks(1_000) {
        let start = |n: &u32| executor.start(ORDER, &format!("order-{n}"), Order::new(*n));
        let handles: Vec<_> = some.iter().map(|n| start(n).expect("it is new")).collect();
        executor.block_on(try_join_all(handles)).expect("they end");
    }
}

fn fold(path: &Path) {
    let mut store = Options::new().open(path).expect("it is closed");
    store.fold().expect("there is room");
    store.close().expect("there is room");
}

fn give_name(folder: &Path, path: &Path) {
    fs::rename(draft(folder), path).expect("nobody has it open");
}
