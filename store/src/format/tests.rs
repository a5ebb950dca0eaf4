//! Format 1, byte for byte: a change here is a new format.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::chunk::{Chunk, Reader};
use super::chunk_refs::{self, ChunkRef};
use super::header::{self, Header};
use super::journal::{self, Change, Deleted};
use super::node::{self, Node, Place};
use super::{row, shape, value};
use crate::{Batch, Counts, History, Link, Queued, RunKey, RunRow, RunState};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sample_row() -> RunRow {
    let mut row = RunRow::new(RunKey(300), "a", "w");
    row.state = RunState::Parked;
    (row.started_at, row.changed_at) = (1, 128);
    row.note = Vec::from([0xee]);
    row
}

/// A row with everything that a row can have.
fn full_row() -> RunRow {
    let mut row = sample_row();
    row.state = RunState::Queued;
    row.wake_at = Some(130);
    row.pass = 2;
    row.link = Some(Link { parent: RunKey(299), task: 4, local: 200 });
    row.deadline = Some(5);
    row.attributes = Vec::from([("k".into(), "v".into())]);
    let mut queue = Queued::new("q");
    queue.partition = Some("p".into());
    queue.priority = -3;
    queue.unique = Some("u".into());
    (queue.eligible_at, queue.admitted_at) = (3, Some(7));
    row.queue = Some(Box::new(queue));
    row
}

#[test]
fn a_run_row_is_as_it_was() {
    let mut never = sample_row();
    (never.state, never.wake_at, never.note) = (RunState::Running, Some(u64::MAX), Vec::new());
    let full = [
        "02 fd ac02 0161 0177 01 fe01 04 02 01 04 c801 08 01 016b 0176",
        "07 0171 05 04 0170 0175 08 01ee",
    ];
    let cases = [
        (sample_row(), "01 80 ac02 0161 0177 01 fe01 01ee"),
        (never, "00 02 ac02 0161 0177 01 fe01"),
        (full_row(), &full.concat()),
    ];
    for (row, expected) in cases {
        let mut bytes = Vec::new();
        row::encode(&mut bytes, &row);
        assert_eq!(hex(&bytes), expected.replace(' ', ""));
        let mut rest = &bytes[..];
        let lent = row::take_row(&mut rest).expect("it is whole");
        assert_eq!((lent.to_row(), lent.bytes, rest), (row, &bytes[..], &[][..]));
        for end in 0..bytes.len() {
            assert!(row::take_row(&mut &bytes[..end]).is_none(), "it is cut at {end}");
        }
    }
}

#[test]
fn a_journal_row_is_as_it_was() {
    let mut batch = Batch::new();
    batch.set_time(258);
    batch.push(RunKey(300), 0, |bytes| bytes.extend_from_slice(b"one"));
    batch.push(RunKey(299), 129, |_| {});
    batch.push_copied(RunKey(299), 130, 5, 200, |_| {});
    batch.put_row(sample_row());
    batch.put_note(b"k", b"note");
    batch.remove_note(b"l");
    batch.put_shape(300, b"shape");
    let deleted = Deleted { run: RunKey(7), hash: 8 };
    let mut bytes = Vec::new();
    journal::pack(&mut bytes, 7, &batch, &[deleted]);
    let expected = [
        "bf6ad34f0fd16ec1",
        "0201000000000000 03000000 18000000 31000000 03000000",
        "d804 00 03 a0e11f32",
        "01 8101 00 c294d338",
        "00 8201 00 c294d338",
        "10 01 02 0a 9003",
        "01 80 ac02 0161 0177 01 fe01 01ee",
        "11 07 0800000000000000",
        "12 016b 046e6f7465",
        "13 016c",
        "14 ac02 057368617065",
        "6f6e65",
    ];
    assert_eq!(hex(&bytes), expected.concat().replace(' ', ""));

    let row = journal::Row::read(7, &bytes).unwrap();
    assert_eq!(row.time, 258);
    let mut records = Vec::new();
    row.for_each_record(|record| {
        records.push((record.run.0, record.seq, bytes[record.range].to_vec(), record.origin));
    })
    .unwrap();
    let copied = (299, 130, Vec::new(), Some((5, 200)));
    let expected = [(300, 0, b"one".to_vec(), None), (299, 129, Vec::new(), None), copied];
    assert_eq!(records, expected);
    let mut changes = Vec::new();
    row.for_each_change(|change| {
        changes.push(match change {
            Change::Row(start, row) => {
                let is_there = bytes[start..].starts_with(row.bytes);
                format!("{:?}", is_there && row.to_row() == sample_row())
            }
            Change::Deleted(deleted) => format!("{deleted:?}"),
            Change::Note(key, note) => format!("{key:?} {note:?}"),
            Change::Shape(number, shape) => format!("shape {number} {shape:?}"),
        });
    })
    .unwrap();
    let expected = [
        "true",
        "Deleted { run: RunKey(7), hash: 8 }",
        "[107] Some([110, 111, 116, 101])",
        "[108] None",
        "shape 300 [115, 104, 97, 112, 101]",
    ];
    assert_eq!(changes, expected);
    assert!(journal::Row::read(8, &bytes).is_err(), "it is not the row of another commit");
}

#[test]
fn a_chunk_and_its_reference_are_as_they_were() {
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
    let reader = Reader::open(RunKey(3), 5, &bytes).unwrap();
    let mut history = History::default();
    reader.read(&(6..9), &mut history).unwrap();
    let entries: Vec<_> = history.iter().map(|e| (e.seq, e.commit, e.time, e.record)).collect();
    assert_eq!((entries, reader.end()), (Vec::from([(6, 9, 300, &b""[..])]), 7));
    assert!(Reader::open(RunKey(4), 5, &bytes).is_err(), "it is not another run's");

    let reference = ChunkRef { first: 5, block: 300, offset: 0, length: 128 };
    let mut refs = Vec::new();
    chunk_refs::add(&mut refs, RunKey(3), reference);
    assert_eq!(hex(&refs), "05 ac02 00 8001 85bdab99".replace(' ', ""));
    assert_eq!(chunk_refs::read(RunKey(3), &refs).unwrap(), [reference]);
}

#[test]
fn values_and_the_header_are_as_they_were() {
    let (mut row, mut bytes) = (Vec::new(), Vec::new());
    row::encode(&mut row, &sample_row());
    row::pack(&mut bytes, RunKey(300), &row, b"refs");
    let expected = "d85395f931346e21 04000000 01 80 ac02 0161 0177 01 fe01 01ee 72656673";
    assert_eq!(hex(&bytes), expected.replace(' ', ""));
    let read = |bytes: &Vec<u8>| row::read(RunKey(300), bytes).unwrap().map(row::Lent::to_row);
    assert_eq!(read(&bytes), Some(sample_row()));
    assert_eq!(row::state(&bytes), Some(RunState::Parked));
    assert_eq!(row::split(RunKey(300), &bytes).unwrap(), (&row[..], &b"refs"[..]));
    row::pack(&mut bytes, RunKey(300), &[], b"refs");
    assert_eq!((read(&bytes), row::state(&bytes)), (None, None));

    let bytes = value::pack(b"key", b"note");
    assert_eq!(hex(&bytes), "9267e53c144b60d1 6e6f7465".replace(' ', ""));
    assert_eq!(value::read(b"key", &bytes).unwrap(), b"note");
    assert!(value::read(b"yek", &bytes).is_err(), "it is not another key's");

    let bytes = shape::pack(7, b"shape");
    assert_eq!(hex(&bytes), "ee18ef236ae534da 7368617065".replace(' ', ""));
    assert_eq!(shape::read(7, &bytes).unwrap(), b"shape");
    assert!(shape::read(8, &bytes).is_err(), "it is not another number's");

    let header = Header {
        semantics: 1,
        commit: 7,
        time: 258,
        next_run: 301,
        next_block: 4,
        sums: [5, 6],
        notes: 10,
        ids: 8,
        last_commit: 9,
        counts: Counts([11, 12, 13, 14, 15, 16, 17, 18]),
        shapes: 19,
    };
    let bytes = header::pack(&header);
    let numbers = [7, 258, 301, 4, 5, 6, 10, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19];
    let numbers = numbers.map(|number: u64| hex(&number.to_le_bytes()));
    assert_eq!(hex(&bytes), format!("58630e8713e59c320100000001000000{}", numbers.concat()));
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
