//! A file of every format there was, read by the present build.

use std::fs;
use std::path::{Path, PathBuf};

use dacapo_store::{
    Batch, Filter, MemoryStore, Options, RedbStore, Result, RunKey, RunRow, RunState, Store,
};

use crate::place::Place;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What the files hold: runs that are running, parked, ended and deleted, with histories that are
/// folded, in the journal, and both.
fn write(store: &mut impl Store) -> Result<()> {
    for round in 0..6 {
        let mut batch = Batch::new();
        batch.set_time(1_000 + round);
        for key in (0..4).map(RunKey) {
            if key.0 <= round {
                batch.push(key, round - key.0, |bytes| bytes.extend([key.0 as u8; 300]));
            }
            if key.0 == round || round == 4 {
                batch.put_row(row(key, round));
            }
        }
        if round == 3 {
            batch.put_shape(0, b"a shape");
        }
        store.commit(&batch)?;
        if round == 2 || round == 4 {
            store.fold()?;
        }
    }
    let mut batch = Batch::new();
    batch.set_time(2_000);
    batch.put_shape(1, b"another shape");
    batch.push(RunKey(0), 6, |_| {});
    batch.delete(RunKey(2));
    store.commit(&batch)?;
    Ok(())
}

fn row(key: RunKey, round: u64) -> RunRow {
    let states = [RunState::Running, RunState::Parked, RunState::Completed, RunState::Failed];
    let state = if round == 4 { states[key.0 as usize] } else { RunState::Running };
    let mut row = RunRow::new(key, format!("run {key}"), "golden");
    row.state = state;
    (row.started_at, row.changed_at) = (1_000 + key.0, 1_000 + round);
    row.note = vec![round as u8];
    row
}

#[test]
fn format_1_is_read() {
    let mut expected = MemoryStore::new();
    write(&mut expected).unwrap();
    let path = golden("format-1.dacapo");
    if std::env::var_os("DACAPO_WRITE_GOLDEN").is_some() {
        let mut store = Options::new().open(&path).unwrap();
        write(&mut store).unwrap();
    }
    let place = Place::new();
    fs::copy(&path, place.join("copy")).unwrap();
    let store = RedbStore::open(place.join("copy")).unwrap();
    assert_eq!((store.next_run(), store.time()), (RunKey(4), 2_000));
    assert_eq!(store.list(&Filter::new()).unwrap(), expected.list(&Filter::new()).unwrap());
    assert_eq!(store.shapes().unwrap(), expected.shapes().unwrap());
    for key in (0..5).map(RunKey) {
        assert_eq!(store.row(key).unwrap(), expected.row(key).unwrap());
        assert_eq!(store.history(key).unwrap(), expected.history(key).unwrap());
        let id = format!("run {key}");
        assert_eq!(store.find(&id).unwrap(), expected.find(&id).unwrap());
    }
}
