//! Rows that a damaged page of redb passes over, or of which it shows an earlier state. redb holds
//! its pages against their checksums after a crash only; so what is missing has to be missed here,
//! or a run is never resumed, or begun twice.

use dacapo_store::{Batch, Filter, Options, RunKey, RunRow, RunState, Store};
use redb::{ReadableTable, TableDefinition};

use crate::damage::{COMMITS, RUNS, change, open, sample, sample_of};
use crate::place::Place;

fn deletion(run: RunKey) -> Batch {
    let mut batch = Batch::new();
    batch.delete(run);
    batch
}

type Values = Vec<(u64, Vec<u8>)>;

fn table(name: &str) -> TableDefinition<'_, u64, &'static [u8]> {
    TableDefinition::new(name)
}

fn values(bytes: &[u8], name: &str) -> Values {
    let mut values = Vec::new();
    change(bytes, table(name), |table| {
        let pairs = table.iter().unwrap().map(Result::unwrap);
        values.extend(pairs.map(|(key, value)| (key.value(), value.value().to_vec())));
    });
    values
}

fn without(bytes: &[u8], name: &str, key: u64) -> Vec<u8> {
    change(bytes, table(name), |table| {
        table.remove(key).unwrap().expect("it was there");
    })
}

fn with(bytes: &[u8], name: &str, key: u64, value: &[u8]) -> Vec<u8> {
    change(bytes, table(name), |table| {
        table.insert(key, value).unwrap().expect("it was there");
    })
}

/// The value of a run is damaged: no list is complete, and it cannot be taken for a new one.
fn check_row(bytes: Vec<u8>, table: &str, run: u64) {
    let store = open(bytes).unwrap();
    let filter = if table == "ended" { Filter::new().ended() } else { Filter::new().unfinished() };
    for filter in [filter.clone(), filter.newest_first()] {
        let error = store.list(&filter).unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains("written last"), "{error}");
    }
    if store.row(RunKey(run)).unwrap().is_none() {
        let error = store.find(&format!("id {run}")).unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains("it is missing"), "{error}");
    }
}

#[test]
fn a_run_that_is_missing_is_missed() {
    let bytes = sample(true);
    for name in ["unfinished", "ended"] {
        for (run, _) in values(&bytes, name) {
            check_row(without(&bytes, name, run), name, run);
        }
    }
}

#[test]
fn a_run_of_an_earlier_state_is_noticed() {
    let (bytes, earlier) = (sample(true), sample_of(COMMITS - 1, true));
    for name in ["unfinished", "ended"] {
        for (run, value) in values(&earlier, name) {
            check_row(with(&bytes, name, run, &value), name, run);
        }
    }
}

#[test]
fn an_id_is_never_passed_over() {
    let bytes = sample(true);
    let nodes = values(&bytes, "ids");
    assert!(!nodes.is_empty());
    let mut damaged: Vec<_> = nodes.iter().map(|(key, _)| without(&bytes, "ids", *key)).collect();
    for (key, value) in nodes {
        for at in 0..value.len() {
            let mut value = value.clone();
            value[at] ^= 1 << (at % 8);
            damaged.push(with(&bytes, "ids", key, &value));
        }
    }
    for bytes in damaged {
        let mut store = open(bytes).unwrap();
        for run in 0..=RUNS {
            let error = store.find(&format!("id {run}")).unwrap_err();
            assert!(error.is_damaged() && error.to_string().contains("its ids"), "{error}");
        }
        // It is not made to look sound by writing to it.
        assert_eq!(store.commit(&deletion(RunKey(1))).unwrap(), COMMITS + 1);
        assert!(store.fold().unwrap_err().is_damaged());
    }
}

#[test]
fn an_index_of_ids_of_an_earlier_state_is_noticed() {
    let bytes = sample(true);
    let disk = crate::disk::Disk::new(bytes.clone());
    let mut store = dacapo_store::RedbStore::from_backend(disk.clone()).unwrap();
    store.commit(&deletion(RunKey(1))).unwrap();
    store.fold().unwrap();
    drop(store);
    for (key, value) in values(&bytes, "ids") {
        let store = open(with(&disk.bytes(), "ids", key, &value)).unwrap();
        assert!(store.find("id 2").unwrap_err().is_damaged());
    }
}

/// What nobody can reach any more does not stay in the file.
#[test]
fn blocks_go_with_the_last_run_that_has_a_chunk_in_them() {
    let disk = crate::disk::Disk::new(sample(true));
    let left = || (values(&disk.bytes(), "blocks").len(), values(&disk.bytes(), "ids").len());
    let delete = |filter: Filter| {
        let mut store = dacapo_store::RedbStore::from_backend(disk.clone()).unwrap();
        let mut batch = Batch::new();
        for mut row in store.list(&filter).unwrap() {
            batch.delete(row.key);
            row.state = RunState::Parked;
            batch.put_row(row);
        }
        store.commit(&batch).unwrap();
        assert!(store.fold().unwrap());
    };
    // Each fold wrote a block for the run that has ended, and one for the others.
    assert_eq!(left(), (6, 1));
    delete(Filter::new().ended());
    assert_eq!(left(), (3, 1));
    delete(Filter::new().limit(2));
    assert_eq!(left(), (3, 1));
    delete(Filter::new());
    assert_eq!(left(), (0, 0));
}

#[test]
fn a_journal_that_ends_too_early_is_noticed() {
    let bytes = sample(false);
    let cut = |from| {
        change(&bytes, table("journal"), |table| {
            (from..=COMMITS).for_each(|commit| drop(table.remove(commit).unwrap()));
        })
    };
    for from in 1..=COMMITS {
        let error = open(cut(from)).unwrap_err();
        let expected = format!("commit {from} in its journal: it is missing");
        assert!(error.is_damaged() && error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn a_table_that_is_missing_is_missed() {
    for name in ["journal", "unfinished", "ended", "ids", "blocks", "notes", "shapes", "user"] {
        let disk = crate::disk::Disk::new(sample(true));
        let db = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
        let txn = db.begin_write().unwrap();
        let is_it = |table: &redb::UntypedTableHandle| redb::TableHandle::name(table) == name;
        let found = txn.list_tables().unwrap().find(is_it).unwrap();
        assert!(txn.delete_table(found).unwrap());
        txn.commit().unwrap();
        drop(db);
        let error = open(disk.bytes()).unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains(name), "{error}");
    }
}

/// A run that is deleted once more, before the first time is folded: its id is free, and nobody is told
/// that its row is missing.
#[test]
fn a_run_that_is_deleted_twice_leaves_its_id() {
    let place = Place::new();
    let mut store = Options::new().open(place.join("runs")).unwrap();
    let mut batch = Batch::new();
    batch.push(RunKey(0), 0, |bytes| bytes.push(7));
    let mut row = RunRow::new(RunKey(0), "one", "count");
    row.state = RunState::Completed;
    batch.put_row(row);
    store.commit(&batch).unwrap();
    store.fold().unwrap();
    for _ in 0..2 {
        batch.clear();
        batch.delete(RunKey(0));
        store.commit(&batch).unwrap();
        assert_eq!(store.find("one").unwrap(), None);
    }
    store.fold().unwrap();
    assert_eq!(store.find("one").unwrap(), None);
    assert_eq!(store.row(RunKey(0)).unwrap(), None);
}
