//! Values that have names, found by a number of each name: in a tree of texts some twenty of them are
//! compared before one is found, and each lies elsewhere in memory.

use alloc::vec::Vec;
use core::borrow::Borrow;
use core::{iter, mem};

use crate::random;

/// A map by name: open addressing, never more than half full. Its order is never seen.
pub(super) struct Named<T> {
    /// As many as a power of two. Between a value and the slot that its name points to, none is free.
    slots: Vec<Option<T>>,
    count: usize,
}

const FEWEST_SLOTS: usize = 16;

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { slots: empty(FEWEST_SLOTS), count: 0 }
    }
}

fn empty<T>(slots: usize) -> Vec<Option<T>> {
    iter::repeat_with(|| None).take(slots).collect()
}

impl<T: Borrow<str>> Named<T> {
    /// A value that had the name before has it no longer.
    pub(super) fn insert(&mut self, value: T) {
        if 2 * (self.count + 1) > self.slots.len() {
            self.resize(2 * self.slots.len());
        }
        let slot = self.slot(value.borrow());
        self.count += usize::from(self.slots[slot].replace(value).is_none());
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.slots[self.slot(name)].as_ref()
    }

    pub(super) fn remove(&mut self, name: &str) {
        let mut slot = self.slot(name);
        if self.slots[slot].take().is_none() {
            return;
        }
        self.count -= 1;
        if self.slots.len() > FEWEST_SLOTS && 8 * self.count < self.slots.len() {
            return self.resize(self.slots.len() / 2);
        }
        // Those behind it may have been kept from the slot that is free now.
        loop {
            slot = (slot + 1) & (self.slots.len() - 1);
            let Some(value) = self.slots[slot].take() else { return };
            let place = self.slot(value.borrow());
            self.slots[place] = Some(value);
        }
    }

    /// Where the value with this name is, or belongs.
    fn slot(&self, name: &str) -> usize {
        let last = self.slots.len() - 1;
        let hash = random::words(name).fold(name.len() as u64, random::mix);
        let mut slot = hash as usize & last;
        while self.slots[slot].as_ref().is_some_and(|known| known.borrow() != name) {
            slot = (slot + 1) & last;
        }
        slot
    }

    fn resize(&mut self, slots: usize) {
        for value in mem::replace(&mut self.slots, empty(slots)).into_iter().flatten() {
            let slot = self.slot(value.borrow());
            self.slots[slot] = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::{String, ToString};

    use super::*;

    /// Random insertions and removals beside a plain map: while there are more and more names, and fewer
    /// and fewer.
    #[test]
    fn is_a_map_by_name() {
        let (mut named, mut map) = (Named::<String>::default(), BTreeMap::new());
        for index in 0..40_000 {
            let bits = random::mix(7, index);
            let name = (bits % 500).to_string();
            assert_eq!(named.get(&name), map.get(&name));
            let grows = index / 4_000 % 2 == 0;
            if grows == ((bits >> 32) % 4 > 0) {
                named.insert(name.clone());
                map.insert(name.clone(), name);
            } else {
                named.remove(&name);
                map.remove(&name);
            }
            assert_eq!(named.count, map.len());
            assert!(2 * named.count <= named.slots.len());
        }
        map.keys().for_each(|name| named.remove(name));
        assert_eq!((named.count, named.slots.len()), (0, FEWEST_SLOTS));
    }
}
