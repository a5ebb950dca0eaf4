//! Format 1, byte for byte: a change here is a new format.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chunk::{self, Chunk};
use super::chunk_refs::{self, ChunkRef};
use super::header::{self, Header};
use super::journal;
use super::node::{self, Node, Place};
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
    row.for_each_slot(|slot| slots.push((slot.run.0, slot.seq, bytes[slot.range].to_vec())))
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
    assert_eq!((entries[1].seq, entries[1].commit, entries[1].time), (6, 9, 300));
    assert!(chunk::read(RunKey(4), 5, &bytes).is_err(), "it is not another run's");

    let item = ChunkRef { first: 5, block: 300, offset: 0, length: 128 };
    let mut list = Vec::new();
    chunk_refs::add(&mut list, RunKey(3), item);
    assert_eq!(hex(&list), "05 ac02 00 8001 85bdab99".replace(' ', ""));
    assert_eq!(chunk_refs::read(RunKey(3), &list).unwrap(), [item]);
}

#[test]
fn rows_and_the_file_itself_are_as_they_were() {
    let (mut row, mut bytes) = (Vec::new(), Vec::new());
    row::put(&mut row, &sample_row());
    row::pack(&mut bytes, RunKey(300), &row, b"list");
    let expected = "e7599a434a16ab02 04000000 ac02 0161 0177 01 01 8001 01ee 6c697374";
    assert_eq!(hex(&bytes), expected.replace(' ', ""));
    assert_eq!(row::read(RunKey(300), &bytes).unwrap(), Some(sample_row()));
    assert_eq!(row::split(RunKey(300), &bytes).unwrap(), (&row[..], &b"list"[..]));

    let header = Header {
        semantics: 1,
        commit: 7,
        time: 258,
        next_run: 301,
        next_block: 4,
        sums: [5, 6],
        ids: 8,
        last_commit: 9,
    };
    let bytes = header::pack(&header);
    let numbers = [7, 258, 301, 4, 5, 6, 8, 9].map(|number: u64| hex(&number.to_le_bytes()));
    assert_eq!(hex(&bytes), format!("2fc229e7c0582d710100000001000000{}", numbers.concat()));
    assert_eq!(header::read(&bytes), Ok(header));
}

#[test]
fn a_node_of_the_ids_is_as_it_was() {
    assert_eq!(node::hash("a"), 16_629_034_431_890_738_719);
    let seq = Place::ROOT.child(2).child(15);
    assert_eq!(seq.key(), 0x12f);
    let leaf = Node::Leaf(Vec::from([(1, RunKey(300)), (2, RunKey(1))]));
    let (bytes, sum) = node::pack(seq, &leaf);
    let expected = "01 0100000000000000 2c01000000000000 0200000000000000 0100000000000000";
    assert_eq!((hex(&bytes), sum), (expected.replace(' ', ""), 9_836_552_772_984_983_790));
    assert_eq!(node::read(seq, sum, &bytes), Ok(leaf));
    let branch = Node::Branch(core::array::from_fn(|number| number as u64));
    let (bytes, sum) = node::pack(Place::ROOT, &branch);
    assert_eq!(
        (bytes[0], hex(&bytes[9..17]), sum),
        (2, "0100000000000000".into(), 6_161_336_798_289_823_955)
    );
    assert_eq!(node::read(Place::ROOT, sum, &bytes), Ok(branch));
    assert!(node::read(seq, sum, &bytes).is_err(), "it is not another place's");
}
