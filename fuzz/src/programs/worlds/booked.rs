//! What transactions write is there once for each of their outcomes.

use std::ops::{Bound::Unbounded, ControlFlow};

use dacapo::store::Store;
use dacapo_values::Shapes;

use super::super::language::BOOK;
use super::assert::{Checked, Known};
use super::records::{Asked, Record, Run};

pub(super) fn check(store: &dyn Store, runs: &[Run], known: Known<'_>) -> Checked {
    if known.has_forgotten {
        return Ok(());
    }
    let recorded =
        runs.iter().flat_map(|run| &run.entries).filter(|entry| is_booking(&entry.record));
    let (recorded, booked) = (recorded.count() as u64, booked(store)?);
    match recorded == booked {
        true => Ok(()),
        false => Err(format!("{recorded} transactions are recorded, and {booked} have booked")),
    }
}

pub(super) fn is_booking(record: &Record) -> bool {
    match record {
        Record::OperationEnded { asked: Asked::Step { name }, outcome: Ok(_), .. } => name == BOOK,
        // It has booked all the same.
        Record::Void(record) => is_booking(record),
        _ => false,
    }
}

fn booked(store: &dyn Store) -> Result<u64, String> {
    let mut values = Vec::new();
    let read = store.read_tables(&mut |tables| {
        tables.range(BOOK, (Unbounded, Unbounded), &mut |_, value| {
            values.push(value.to_vec());
            ControlFlow::Continue(())
        })
    });
    read.map_err(|why| why.to_string())?;
    // A number needs no shape.
    let values = values.iter().map(|value| Shapes::new().decode::<u64>(value));
    values.sum::<Result<u64, _>>().map_err(|why| why.to_string())
}
