//! Records of a size that no step should have.

use dacapo_store::{Batch, RedbStore, RunKey, RunRow, Store};

use crate::place::Place;

/// Adds a record of zeros, which take no memory until they are read.
fn push(batch: &mut Batch, run: RunKey, place: u64, mib: usize) {
    batch.push(run, place, |bytes| match bytes.is_empty() {
        true => *bytes = vec![0; mib << 20],
        false => bytes.resize(bytes.len() + (mib << 20), 0),
    });
}

fn row(key: RunKey, id: &str) -> RunRow {
    let mut row = RunRow::new(key, id, "order");
    (row.started_at, row.changed_at) = (1, 1);
    row
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_batch_that_is_too_large_is_refused_with_the_name_of_the_run() {
    let place = Place::new();
    let path = place.join("runs");
    let mut store = RedbStore::open(&path).unwrap();
    let mut batch = Batch::new();
    (0..2).for_each(|run| batch.put_row(row(RunKey(run), &format!("order-{run}"))));
    store.commit(&batch).unwrap();

    batch.clear();
    push(&mut batch, RunKey(1), 0, 2_100);
    batch.push(RunKey(0), 0, |bytes| bytes.push(1));
    let error = store.commit(&batch).unwrap_err();
    let text = error.to_string();
    for part in [
        &*path.display().to_string(),
        "run 1 (\"order-1\")",
        "largest record in it, of 2100 MiB",
        "2048 MiB it may have",
        "give the step a smaller outcome",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!error.is_refused());

    // Nothing of it was committed, and the store goes on.
    batch.clear();
    batch.push(RunKey(0), 0, |bytes| bytes.push(1));
    store.commit(&batch).unwrap();
    assert!(store.history(RunKey(1)).unwrap().is_empty());
    assert_eq!(store.history(RunKey(0)).unwrap().len(), 1);
}
