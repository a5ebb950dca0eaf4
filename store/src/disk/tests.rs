use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use std::{env, fs, process};

use redb::backends::InMemoryBackend;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::tables::{BLOCKS, CHUNKS_IN_USE, ENDED, UNFINISHED};
use super::{Options, RedbStore};
use crate::conformance::{Model, Program};
use crate::format::{chunk_refs, row};
use crate::{Batch, RunKey, RunRow, RunState, Store};

/// A fork is unsafe code, of which there is none here: so the number of the process is another.
#[test]
fn a_child_process_does_not_write() {
    let path = env::temp_dir().join(format!("dacapo-fork-{}", process::id()));
    let mut store = RedbStore::open(&path).unwrap();
    let mut batch = Batch::new();
    batch.push(RunKey(0), 0, |bytes| bytes.push(7));
    store.commit(&batch).unwrap();
    let before = fs::read(&path).unwrap();
    store.origin.fork();
    let error = store.commit(&batch).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("forked"), "{error}");
    drop(store);
    assert!(fs::read(&path).unwrap() == before, "nor does its drop");
    fs::remove_file(path).unwrap();
}

/// So no commit has to wait for a fold that takes out all of them: only ids wait, and never many.
#[test]
fn runs_leave_the_tables_with_the_commit_that_deletes_them() {
    const RUNS: u64 = 2_000;
    const AT_ONCE: u64 = 50;
    // So many bytes of journal let 244 ids wait.
    let mut store =
        Options::new().fold_bytes(250_000).open_backend(InMemoryBackend::new()).unwrap();
    let mut batch = Batch::new();
    for key in (0..RUNS).map(RunKey) {
        batch.push(key, 0, |bytes| bytes.extend_from_slice(&[7; 1_000]));
        let mut row = RunRow::new(key, key.0.to_string(), "w");
        row.state = RunState::Completed;
        batch.put_row(row);
    }
    store.commit(&batch).unwrap();
    store.fold().unwrap();
    let blocks = |store: &RedbStore| {
        store.db.begin_read().unwrap().open_table(BLOCKS).unwrap().len().unwrap()
    };
    let all = blocks(&store);
    for first in (0..RUNS).step_by(AT_ONCE as usize) {
        batch.clear();
        (first..first + AT_ONCE).for_each(|key| batch.delete(RunKey(key)));
        store.commit(&batch).unwrap();
        let left = RUNS - first - AT_ONCE;
        let ended = store.db.begin_read().unwrap().open_table(ENDED).unwrap();
        assert_eq!(ended.len().unwrap(), left);
        assert_eq!(store.count().unwrap().total(), left);
        assert!(blocks(&store) <= all * left / RUNS + 2);
        assert!(store.leaving.len() <= 244 + AT_ONCE as usize);
        assert_eq!(store.tail.index().deleted().count(), store.leaving.len());
        assert!(store.find(&first.to_string()).unwrap().is_none());
    }
    assert!(store.header.commit < store.last_commit(), "nothing was folded meanwhile");
}

/// What is counted of the chunks is what the runs have of them, and there is no block besides.
fn expect_chunks_counted(store: &RedbStore, context: &str) {
    let txn = store.db.begin_read().unwrap();
    let mut owned = BTreeMap::<u64, u64>::new();
    for table in [UNFINISHED, ENDED] {
        for row in txn.open_table(table).unwrap().iter().unwrap() {
            let (run, value) = row.unwrap();
            let run = RunKey(run.value());
            let (_, refs) = row::split(run, value.value()).unwrap();
            for chunk in chunk_refs::read(run, refs).unwrap() {
                *owned.entry(chunk.block).or_default() += 1;
            }
        }
    }
    let in_use = txn.open_table(CHUNKS_IN_USE).unwrap();
    let counted = in_use.iter().unwrap().map(|row| {
        let (block, chunks) = row.unwrap();
        (block.value(), chunks.value())
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), owned, "{context}");
    let blocks = txn.open_table(BLOCKS).unwrap();
    let blocks = blocks.iter().unwrap().map(|row| row.unwrap().0.value());
    assert!(blocks.eq(owned.keys().copied()), "{context}");
}

/// Also where a process ends between two commits, and when the journal is folded after that.
#[test]
fn no_block_is_lost_or_released_twice() {
    let directory = env::temp_dir().join(format!("dacapo-blocks-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let (path, left) = (directory.join("runs"), directory.join("left"));
    for seed in 0..2 {
        // Folded often, so that several runs share a block, or hardly ever.
        let options = Options::new().fold_bytes([5_000, 40_000][seed as usize]);
        let mut store = options.open(&path).unwrap();
        let (mut program, mut model) = (Program::new(seed), Model::new());
        for step in 0..30 {
            let context = format!("seed {seed}, step {step}");
            let action = program.next_action(&model);
            action.perform(&mut store).unwrap();
            model.apply(&action);
            expect_chunks_counted(&store, &context);
            fs::copy(&path, &left).unwrap();
            let mut other = options.open(&left).unwrap();
            expect_chunks_counted(&other, &context);
            other.fold().unwrap();
            expect_chunks_counted(&other, &context);
            model.compare(&other).unwrap();
            drop(other);
            fs::remove_file(&left).unwrap();
        }
        drop(store);
        fs::remove_file(&path).unwrap();
    }
    fs::remove_dir_all(directory).unwrap();
}
