//! What the store in memory does beyond the others.

use dacapo_store::{Batch, MemoryStore, RedbStore, RunKey, Store};

fn batch(place: u64) -> Batch {
    let mut batch = Batch::new();
    batch.push(RunKey(0), place, |bytes| bytes.push(place as u8));
    batch
}

#[test]
fn a_refused_commit_leaves_nothing_and_stops_its_handle() {
    let mut store = MemoryStore::new();
    let looker = store.shared();
    looker.fail_after(1);
    store.commit(&batch(0)).unwrap();
    assert!(store.commit(&batch(1)).unwrap_err().is_refused());
    assert!(store.history(RunKey(0)).unwrap_err().is_refused());
    assert!(store.fold().unwrap_err().is_refused());
    assert!(store.commit_with(&mut Batch::new(), &mut |_, _| Ok(())).unwrap_err().is_refused());
    assert_eq!((looker.last_commit(), looker.history(RunKey(0)).unwrap().len()), (1, 1));
    let mut opened_again = looker.shared();
    opened_again.commit(&batch(1)).unwrap();
    assert_eq!(looker.last(RunKey(0)).unwrap().last().unwrap().record, [1]);
}

#[test]
fn a_snapshot_goes_its_own_way() {
    let mut store = MemoryStore::new();
    store.commit(&batch(0)).unwrap();
    let mut copy = store.snapshot();
    copy.commit(&batch(1)).unwrap();
    assert_eq!((store.last_commit(), copy.last_commit()), (1, 2));
}

#[test]
#[should_panic(expected = "run 0: the next seq")]
fn a_gap_is_the_callers_mistake() {
    let _ = MemoryStore::new().commit(&batch(1));
}

#[test]
fn stores_can_be_given_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<RedbStore>();
    is_send::<MemoryStore>();
    is_send::<Box<dyn Store + Send>>();
}
