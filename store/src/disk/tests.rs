use alloc::format;
use alloc::string::ToString;
use std::{env, fs, process};

use super::RedbStore;
use crate::{Batch, RunKey, Store};

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
