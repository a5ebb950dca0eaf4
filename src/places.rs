//! Where the operations of a run stand in the source: kept in rehearsals only.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::panic::Location;

use crate::record::Number;
use crate::source::SourceLine;

type Place = &'static Location<'static>;

/// The places of one run, while its code is rehearsed.
#[derive(Default)]
pub(crate) struct Places {
    /// As they were built.
    operations: RefCell<Vec<(Number, Place)>>,
    /// Of marks that have the number of an operation: where a child was let go.
    marks: RefCell<BTreeMap<Number, Place>>,
    /// Where a pass ends.
    again: Cell<Option<Place>>,
}

/// Those of the operations, by their numbers.
#[derive(Clone, Default)]
pub(crate) struct Sorted(Vec<(Number, Place)>);

impl Places {
    /// An operation was built.
    #[inline]
    pub(crate) fn build(&self, number: Number, place: Place) {
        self.operations.borrow_mut().push((number, place));
    }

    /// A mark about an operation was made.
    pub(crate) fn mark(&self, number: Number, place: Place) {
        self.marks.borrow_mut().insert(number, place);
    }

    /// The code asked for the end of a pass.
    pub(crate) fn end_pass(&self, place: Place) {
        self.again.set(Some(place));
    }

    /// That of an operation. Who asks for many has them sorted.
    pub(crate) fn of(&self, number: Number) -> Option<SourceLine> {
        let operations = self.operations.borrow();
        let found = operations.iter().rev().find(|(built, _)| *built == number);
        found.map(|&(_, place)| place.into())
    }

    /// That of a mark.
    pub(crate) fn of_mark(&self, number: Number) -> Option<SourceLine> {
        let mark = self.marks.borrow().get(&number).copied();
        mark.map_or_else(|| self.of(number), |place| Some(place.into()))
    }

    /// That of the end of the pass.
    pub(crate) fn of_again(&self) -> Option<SourceLine> {
        self.again.get().map(Into::into)
    }

    /// Moves those of the operations out.
    pub(crate) fn take_sorted(&self) -> Sorted {
        let mut operations = self.operations.take();
        operations.sort_unstable_by_key(|&(number, _)| number);
        Sorted(operations)
    }
}

impl Sorted {
    pub(crate) fn of(&self, number: Number) -> Option<SourceLine> {
        let found = self.0.binary_search_by_key(&number, |&(built, _)| built);
        found.ok().map(|at| self.0[at].1.into())
    }
}
