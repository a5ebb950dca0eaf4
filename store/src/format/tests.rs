//! Format 1, byte for byte: a change here is a new format.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chunk::{self, Chunk};
use super::contents::{self, Item};
use super::journal;
use super::meta::{self, Meta};
use super::row;
use crate::{Batch, RunKey, RunRow, RunState};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sample_row() -> RunRow {
    RunRow {
        key: RunKey(300),
        id: "a".into(),
        workflow: "w".into(),
        state: RunState::Parked,
        started_at: 1,
        changed_at: 128,
        note: Vec::from([0xee]),
    }
}

#[test]
fn a_journal_row_is_as_it_was() {
    let mut batch = Batch::new();
    batch.set_time(258);
    batch.push(RunKey(300), 0, |bytes| bytes.extend_from_slice(b"one"));
    batch.push(RunKey(299), 129, |_| {});
    batch.put_row(sample_row());
    let mut bytes = Vec::new();
    journal::pack(&mut bytes, 7, &batch);
    let expected = [
        "f5eb8f756e0509d6",
        "0201000000000000 02000000 10000000 0c000000 03000000",
        "d804 00 03 a0e11f32",
        "01 8101 00 c294d338",
        "ac02 0161 0177 01 01 8001 01ee",
        "6f6e65",
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));

    let row = journal::Row::read(7, &bytes).unwrap();
    assert_eq!((row.time, row.rows().unwrap()), (258, Vec::from([sample_row()])));
    let mut slots = Vec::new();
    row.for_each_slot(|slot| slots.push((slot.run.0, slot.place, bytes[slot.range].to_vec())))
        .unwrap();
    assert_eq!(slots, [(300, 0, b"one".to_vec()), (299, 129, Vec::new())]);
    assert!(journal::Row::read(8, &bytes).is_err(), "it is not the row of another commit");
}

#[test]
fn a_chunk_and_its_place_are_as_they_were() {
    let mut chunk = Chunk::default();
    chunk.push(7, 258, b"one", super::record_checksum(b"one"));
    chunk.push(9, 300, b"", super::record_checksum(b""));
    let bytes = chunk.finish(RunKey(3), 5, <[u8]>::to_vec);
    let expected = [
        "98f95d8ac67440e7",
        "02000000 0f000000",
        "0e 8404 03 a0e11f32",
        "04 54 00 c294d338",
        "6f6e65",
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));
    let slots = chunk::read(RunKey(3), 5, &bytes).unwrap();
    let entries: Vec<_> = slots.iter().map(|slot| slot.check().unwrap()).collect();
    assert_eq!((entries[1].place, entries[1].commit, entries[1].time), (6, 9, 300));
    assert!(chunk::read(RunKey(4), 5, &bytes).is_err(), "it is not another run's");

    let item = Item { first: 5, block: 300, offset: 0, length: 128 };
    let mut list = Vec::new();
    contents::add(&mut list, RunKey(3), item);
    assert_eq!(hex(&list), "05 ac02 00 8001 85bdab99".replace(' ', ""));
    assert_eq!(contents::read(RunKey(3), &list).unwrap(), [item]);
}

#[test]
fn rows_and_the_file_itself_are_as_they_were() {
    let mut bytes = Vec::new();
    row::pack(&mut bytes, &sample_row());
    assert_eq!(hex(&bytes), "16b06ebf24e9a40e ac02 0161 0177 01 01 8001 01ee".replace(' ', ""));
    assert_eq!(row::read(RunKey(300), &bytes).unwrap(), sample_row());

    let meta = Meta { semantics: 1, commit: 7, time: 258, next_run: 301 };
    let bytes = meta::pack(&meta);
    let numbers = "01000000 01000000 0700000000000000 0201000000000000 2d01000000000000";
    assert_eq!(hex(&bytes), format!("d9ea42fda324e99a{numbers}").replace(' ', ""));
    assert_eq!(meta::read(&bytes), Ok(meta));
}
