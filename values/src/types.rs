//! The types of this process that had values, and the shapes that they have now.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::TypeId;
use core::hash::{Hash, Hasher};
use core::mem;

use crate::shape::Shape;

/// What is known of a type.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) shape: Rc<Shape>,
    /// What stands before its values.
    pub(crate) number: u32,
    /// How many shapes it had.
    pub(crate) shapes: u32,
    /// Each of its values is read back after it is written.
    pub(crate) is_dynamic: bool,
}

/// Types by their ids: open addressing, never more than half full.
pub(crate) struct Types {
    slots: Vec<Option<(TypeId, Known)>>,
    count: usize,
}

impl Types {
    pub(crate) fn new() -> Types {
        Types { slots: (0..32).map(|_| None).collect(), count: 0 }
    }

    #[inline]
    pub(crate) fn get(&self, id: TypeId) -> Option<&Known> {
        self.slots[self.slot(id)].as_ref().map(|(_, known)| known)
    }

    pub(crate) fn put(&mut self, id: TypeId, known: Known) {
        if 2 * self.count >= self.slots.len() {
            let more = (0..2 * self.slots.len()).map(|_| None).collect();
            for (id, known) in mem::replace(&mut self.slots, more).into_iter().flatten() {
                let slot = self.slot(id);
                self.slots[slot] = Some((id, known));
            }
        }
        let slot = self.slot(id);
        self.count += usize::from(self.slots[slot].is_none());
        self.slots[slot] = Some((id, known));
    }

    /// Where it is, or belongs.
    #[inline]
    fn slot(&self, id: TypeId) -> usize {
        let mut low = Low(0);
        id.hash(&mut low);
        let mask = self.slots.len() - 1;
        let mut at = low.0 as usize & mask;
        while self.slots[at].as_ref().is_some_and(|(known, _)| *known != id) {
            at = (at + 1) & mask;
        }
        at
    }
}

/// A type's id is a hash already.
struct Low(u64);

impl Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
