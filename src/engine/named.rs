//! Runs by their ids, in the order of a number of each: in that of the ids themselves some twenty texts
//! would be compared before one is found, and each lies elsewhere in memory. Ids that somebody makes up so
//! that their numbers are the same are in the order of their texts.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use core::borrow::Borrow;
use core::cmp::Ordering;

use crate::instance::Instance;
use crate::random;

/// A set of runs by id. Its order is never seen.
#[derive(Default)]
pub(super) struct Named(BTreeSet<Entry>);

struct Entry {
    number: u64,
    run: Rc<Instance>,
}

/// What is compared: of a run, or of an id that is looked for.
trait Key {
    fn key(&self) -> (u64, &str);
}

impl Key for Entry {
    fn key(&self) -> (u64, &str) {
        (self.number, &self.run.id)
    }
}

impl Key for (u64, &str) {
    fn key(&self) -> (u64, &str) {
        *self
    }
}

impl PartialEq for dyn Key + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for dyn Key + '_ {}

impl PartialOrd for dyn Key + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Key + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<'a> Borrow<dyn Key + 'a> for Entry {
    fn borrow(&self) -> &(dyn Key + 'a) {
        self
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

fn number_of(id: &str) -> u64 {
    random::words(id).fold(id.len() as u64, random::mix)
}

impl Named {
    /// A run that had the id before has it no longer.
    pub(super) fn insert(&mut self, run: Rc<Instance>) {
        self.0.replace(Entry { number: number_of(&run.id), run });
    }

    pub(super) fn get(&self, id: &str) -> Option<&Rc<Instance>> {
        let key: &dyn Key = &(number_of(id), id);
        self.0.get(key).map(|entry| &entry.run)
    }

    pub(super) fn remove(&mut self, id: &str) {
        let key: &dyn Key = &(number_of(id), id);
        self.0.remove(key);
    }
}
