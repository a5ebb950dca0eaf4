//! What is beside the runs: notes, and the tables of users.

use std::ops::Bound::Unbounded;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dacapo_store::{Batch, Error, MemoryStore, RedbStore, RunKey, Store};
use redb::{ReadableTable, TableDefinition};

use crate::damage::{change, open};
use crate::disk::Disk;

const NOTES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("notes");
type Bytes = Vec<u8>;

const USER: TableDefinition<&[u8], &[u8]> = TableDefinition::new("user");

/// A store with two notes and two values in a table.
fn sample() -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    let mut store = RedbStore::from_backend(disk.clone()).unwrap();
    let mut batch = Batch::new();
    store
        .commit_with(&mut batch, &mut |tables, batch| {
            tables.put("stock", b"tea", b"41")?;
            tables.put("stock", b"cup", b"7")?;
            batch.put_note(b"one", b"a note");
            batch.put_note(b"two", b"another");
            batch.push(RunKey(0), 0, |bytes| bytes.push(1));
            Ok(())
        })
        .unwrap();
    store.fold().unwrap();
    store.close().unwrap();
    disk.bytes()
}

/// The file once for each byte of each value of a table, with a bit of that byte flipped, and once
/// for each value without it; each with the key.
fn damaged(table: TableDefinition<&[u8], &[u8]>) -> (Vec<(Bytes, Bytes)>, Vec<Bytes>) {
    let bytes = sample();
    let mut values = Vec::new();
    change(&bytes, table, |table| {
        let pairs = table.iter().unwrap().map(Result::unwrap);
        values.extend(pairs.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())));
    });
    let (mut flipped, mut removed) = (Vec::new(), Vec::new());
    for (key, value) in &values {
        for at in 0..value.len() {
            let mut value = value.clone();
            value[at] ^= 1 << (at % 8);
            let changed = change(&bytes, table, |table| {
                table.insert(&key[..], &value[..]).unwrap();
            });
            flipped.push((key.clone(), changed));
        }
        removed.push(change(&bytes, table, |table| {
            table.remove(&key[..]).unwrap().expect("it was there");
        }));
    }
    (flipped, removed)
}

#[test]
fn damaged_notes_are_told_and_leave_the_runs_alone() {
    let (flipped, removed) = damaged(NOTES);
    assert_eq!((flipped.len(), removed.len()), (8 + 6 + 8 + 7, 2));
    for bytes in flipped.into_iter().map(|(_, bytes)| bytes).chain(removed) {
        let mut store = open(bytes).unwrap();
        let error = store.note(b"one").unwrap_err();
        assert!(error.is_damaged() && error.to_string().contains("its notes"), "{error}");
        assert!(store.notes(b"", &mut |_, _| {}).unwrap_err().is_damaged());
        let mut batch = Batch::new();
        batch.put_note(b"one", b"is not made to look sound by writing it");
        assert!(store.commit(&batch).unwrap_err().is_damaged());
        batch.clear();
        batch.push(RunKey(0), 1, |bytes| bytes.push(2));
        assert_eq!(store.commit(&batch).unwrap(), 2);
        assert!(store.fold().unwrap());
        assert_eq!(store.history(RunKey(0)).unwrap().len(), 2);
        assert!(store.note(b"one").unwrap_err().is_damaged());
    }
}

const SHAPES: TableDefinition<u32, &[u8]> = TableDefinition::new("shapes");

/// A store with two shapes that are folded, and one in the journal.
fn sample_with_shapes() -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    let mut store = RedbStore::from_backend(disk.clone()).unwrap();
    let mut batch = Batch::new();
    batch.put_shape(0, b"one");
    batch.put_shape(1, b"two");
    store.commit(&batch).unwrap();
    store.fold().unwrap();
    batch.clear();
    batch.put_shape(2, b"three");
    store.commit(&batch).unwrap();
    store.close().unwrap();
    disk.bytes()
}

#[test]
fn damaged_shapes_keep_their_numbers() {
    let bytes = sample_with_shapes();
    let sound = [&b"one"[..], b"two", b"three"].map(|shape| Some(shape.to_vec()));
    assert_eq!(open(bytes.clone()).unwrap().shapes().unwrap(), sound);
    for (number, text) in [(0, b"one"), (1, b"two")] {
        let mut value = Vec::new();
        change(&bytes, SHAPES, |table| {
            value = table.get(number).unwrap().expect("it is there").value().to_vec();
        });
        assert!(value.ends_with(text));
        let flipped = (0..value.len()).map(|at| {
            let mut value = value.clone();
            value[at] ^= 1 << (at % 8);
            change(&bytes, SHAPES, |table| drop(table.insert(number, &value[..]).unwrap()))
        });
        let missing = change(&bytes, SHAPES, |table| drop(table.remove(number).unwrap()));
        let elsewhere = change(&bytes, SHAPES, |table| {
            let other = table.get(1 - number).unwrap().expect("it is there").value().to_vec();
            table.insert(number, &other[..]).unwrap();
        });
        for bytes in flipped.chain([missing, elsewhere]) {
            let mut expected = sound.to_vec();
            expected[number as usize] = None;
            let disk = Disk::new(bytes);
            let mut store = RedbStore::from_backend(disk.clone()).unwrap();
            assert_eq!(store.shapes().unwrap(), expected);
            // A new one gets a number of its own, and does not make the damaged one look sound.
            let mut batch = Batch::new();
            batch.put_shape(3, b"four");
            store.commit(&batch).unwrap();
            assert!(store.fold().unwrap());
            store.close().unwrap();
            expected.push(Some(b"four".to_vec()));
            assert_eq!(open(disk.bytes()).unwrap().shapes().unwrap(), expected);
        }
    }
}

/// Each is what it was, or is not given, or the file is refused: never another one.
#[test]
fn flips_and_cuts_anywhere_make_no_other_shape() {
    let shape = |number: u32| format!("shape {number} {}", "of many names ".repeat(5)).into_bytes();
    let disk = Disk::new(Vec::new());
    let mut store = RedbStore::from_backend(disk.clone()).unwrap();
    // Enough for several pages, with one above them; the last ones are in the journal.
    for numbers in [0..100, 100..190, 190..200] {
        store.fold().unwrap();
        let mut batch = Batch::new();
        numbers.for_each(|number| batch.put_shape(number, &shape(number)));
        store.commit(&batch).unwrap();
    }
    store.close().unwrap();
    let bytes = disk.bytes();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let flips = (0..400).chain((400..used).step_by(61)).map(|at| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        flipped
    });
    let cuts = (1..bytes.len()).step_by(bytes.len() / 30).map(|length| bytes[..length].to_vec());
    let (mut refused, mut whole, mut missing) = (0, 0, 0);
    for bytes in flips.chain(cuts) {
        let Ok(store) = open(bytes) else {
            refused += 1;
            continue;
        };
        let shapes = store.shapes().unwrap();
        assert_eq!(shapes.len(), 200);
        for (number, found) in (0..).zip(&shapes) {
            assert!(found.as_ref().is_none_or(|found| *found == shape(number)), "{number}");
        }
        match shapes.contains(&None) {
            true => missing += 1,
            false => whole += 1,
        }
    }
    println!("{refused} are refused, of {missing} some shapes are missing, {whole} are whole");
    assert!(refused > 30 && missing > 30 && whole > 100, "{refused} {missing} {whole}");
}

#[test]
fn a_damaged_value_of_a_table_is_told_when_it_is_read() {
    let (flipped, _) = damaged(USER);
    assert_eq!(flipped.len(), 8 + 2 + 8 + 1);
    for (key, bytes) in flipped {
        let store = open(bytes).unwrap();
        for own in [&b"tea"[..], b"cup"] {
            let got = store.read_tables(&mut |tables| tables.get("stock", own).map(drop));
            assert_eq!(got.is_err_and(|error| error.is_damaged()), key.ends_with(own));
        }
        let read = store.read_tables(&mut |tables| {
            let mut visit = |_: &[u8], _: &[u8]| ControlFlow::Continue(());
            tables.range("stock", (Unbounded, Unbounded), &mut visit)
        });
        let error = read.unwrap_err();
        assert!(error.to_string().contains("in the table \"stock\""), "{error}");
    }
}

fn check_given_up(store: &mut impl Store) {
    let count = |store: &dyn Store| {
        let mut keys = 0;
        let counted = store.read_tables(&mut |tables| {
            tables.range("stock", (Unbounded, Unbounded), &mut |_, _| {
                keys += 1;
                ControlFlow::Continue(())
            })
        });
        counted.map(|()| keys)
    };
    let mut batch = Batch::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.commit_with(&mut batch, &mut |tables, _| {
            tables.put("stock", b"tea", b"40")?;
            panic!("a mistake of the caller");
        })
    }));
    let message = panicked.unwrap_err();
    assert_eq!(message.downcast_ref(), Some(&"a mistake of the caller"), "it is not made an error");
    let stopped = store.commit_with(&mut batch, &mut |tables, batch| {
        tables.put("stock", b"tea", b"40")?;
        batch.put_note(b"one", b"a note");
        Err(Error::other("no tea is left"))
    });
    assert_eq!(stopped.unwrap_err().to_string(), "no tea is left");
    assert_eq!(store.commit_with(&mut batch, &mut |_, _| Ok(())).unwrap(), 0);
    assert_eq!((count(store).unwrap(), store.note(b"one").unwrap()), (0, None));
    let written = store.commit_with(&mut batch, &mut |tables, _| tables.put("stock", b"tea", b""));
    assert_eq!((written.unwrap(), store.last_commit(), count(store).unwrap()), (1, 1, 1));
    let mut visited = 0;
    let stopped = store.read_tables(&mut |tables| {
        tables.range("stock", (Unbounded, Unbounded), &mut |_, _| {
            visited += 1;
            ControlFlow::Break(())
        })
    });
    assert_eq!((stopped.is_ok(), visited), (true, 1));
}

#[test]
fn a_commit_that_is_given_up_leaves_nothing() {
    check_given_up(&mut MemoryStore::new());
    check_given_up(&mut RedbStore::from_backend(Disk::new(Vec::new())).unwrap());
}

/// What a visitor does wrong is not taken for damage.
#[test]
fn a_panic_of_a_visitor_stays_one() {
    let mut store = RedbStore::from_backend(Disk::new(Vec::new())).unwrap();
    let mut batch = Batch::new();
    batch.put_row(dacapo_store::RunRow::new(RunKey(0), "a", "w"));
    store.commit(&batch).unwrap();
    let mut visit = |_| panic!("a mistake of the caller");
    let scanned = catch_unwind(AssertUnwindSafe(|| store.scan(&Default::default(), &mut visit)));
    assert!(scanned.is_err());
    assert_eq!(store.list(&Default::default()).unwrap().len(), 1);
}
