//! Files of which most was deleted become shorter.

use std::fs;
use std::path::Path;

use dacapo_store::{Batch, Options, RedbStore, RunKey, RunRow, RunState, Store};

use crate::place::Place;

const RUNS: u64 = 2_000;
const BYTES: usize = 8_000;

/// A store of runs that have ended, 16 MB in all.
fn filled(path: &Path) -> RedbStore {
    let mut store = RedbStore::open(path).unwrap();
    for keys in (0..RUNS).collect::<Vec<_>>().chunks(100) {
        let mut batch = Batch::new();
        for &key in keys {
            let mut row = RunRow::new(RunKey(key), key.to_string(), "order");
            row.state = RunState::Completed;
            batch.put_row(row);
            batch.push(RunKey(key), 0, |bytes| bytes.extend([key as u8; BYTES]));
        }
        store.commit(&batch).unwrap();
    }
    store.fold().unwrap();
    store
}

/// Deletes all but each run whose key is a multiple of `every`: those that stay lie all over the file.
fn delete(store: &mut RedbStore, every: u64) {
    for keys in (0..RUNS).collect::<Vec<_>>().chunks(100) {
        let mut batch = Batch::new();
        keys.iter()
            .filter(|key| !key.is_multiple_of(every))
            .for_each(|key| batch.delete(RunKey(*key)));
        store.commit(&batch).unwrap();
    }
}

/// Opens it once more, and expects what was left.
fn check(path: &Path, every: u64) {
    let store = Options::new().check_all_pages().open(path).unwrap();
    let rows = store.list(&Default::default()).unwrap();
    assert!(rows.iter().map(|row| row.key.0).eq((0..RUNS).step_by(every as usize)));
    for row in rows {
        let history = store.history(row.key).unwrap();
        let record = history.get(0).unwrap().record;
        assert!(record == [row.key.0 as u8; BYTES], "run {} has {} bytes", row.key, record.len());
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn a_file_of_which_most_was_deleted_shrinks_when_there_is_time_or_it_is_closed() {
    type Give = fn(RedbStore);
    let ways: [(&str, Give); 4] = [
        ("fold", |mut store| {
            assert!(store.fold().unwrap());
            assert!(!store.fold().unwrap());
            core::mem::forget(store);
        }),
        ("close", |store| store.close().unwrap()),
        ("drop", drop),
        ("compact", |mut store| {
            assert!(store.compact().unwrap());
            assert!(!store.compact().unwrap());
            core::mem::forget(store);
        }),
    ];
    for (name, give) in ways {
        let place = Place::new();
        let path = place.join("runs");
        let mut store = filled(&path);
        let full = length(&path);
        delete(&mut store, 100);
        assert!(length(&path) >= full / 2, "{name}: it is short already");
        give(store);
        let (left, least) = (length(&path), full / 16);
        assert!(left < least, "{name}: {full} bytes became {left}");
        if name == "close" || name == "drop" {
            check(&path, 100);
        }
    }
}

/// What was deleted before it became shorter counts no longer: it is free because the journal was there, which takes
/// it again.
#[test]
fn what_the_journal_took_is_left_to_it() {
    let place = Place::new();
    let path = place.join("runs");
    let mut store = filled(&path);
    delete(&mut store, 100);
    assert!(store.fold().unwrap());
    for _ in 0..100 {
        let mut batch = Batch::new();
        let mut row = RunRow::new(RunKey(RUNS), "again", "order");
        row.note = vec![7; 100_000];
        batch.put_row(row);
        store.commit(&batch).unwrap();
    }
    let full = length(&path);
    assert!(full > 10_000_000, "the journal has taken {full} bytes");
    assert!(store.fold().unwrap(), "the journal is folded");
    assert!(!store.fold().unwrap());
    assert_eq!(length(&path), full);
}

#[test]
fn a_file_of_which_less_was_deleted_shrinks_when_somebody_asks() {
    let place = Place::new();
    let path = place.join("runs");
    let mut store = filled(&path);
    let full = length(&path);
    delete(&mut store, 2);
    store.fold().unwrap();
    let before = length(&path);
    assert!(before > full / 2, "{full} bytes became {before}");
    drop(store);
    let mut store = RedbStore::open(&path).unwrap();
    assert!(store.compact().unwrap());
    let left = length(&path);
    assert!(left < before * 3 / 4, "{before} bytes became {left}");
    // It goes on: what comes next is written, and read by the next.
    let mut batch = Batch::new();
    batch.push(RunKey(0), 1, |bytes| bytes.push(7));
    store.commit(&batch).unwrap();
    drop(store);
    check(&path, 2);
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(store.history(RunKey(0)).unwrap().get(1).unwrap().record, [7]);
}

#[test]
fn what_is_only_looked_at_does_not_shrink() {
    let place = Place::new();
    let path = place.join("runs");
    drop(filled(&path));
    let before = fs::read(&path).unwrap();
    let mut store = Options::new().read_only().open(&path).unwrap();
    let error = store.compact().unwrap_err().to_string();
    assert!(error.contains("was opened to be looked at only"), "{error}");
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), before);
}
