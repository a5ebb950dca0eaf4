//! Where the runs in memory are, by a number of the id of each.

use alloc::vec;
use alloc::vec::Vec;

/// A hash table of slots. The runs themselves are elsewhere, and have the ids: so whoever looks says
/// which one it is.
///
/// Places are probed one after the other, and what is taken out leaves no gap: Knuth, The Art of
/// Computer Programming, volume 3, algorithms 6.4 L and R. Nobody walks through it, so its order is
/// never seen.
#[derive(Default)]
pub(super) struct ById {
    /// None, or a power of two of which at most three quarters are taken.
    places: Vec<Place>,
    len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u32,
    slot: u32,
}

/// No slot is so large.
const FREE: Place = Place { number: 0, slot: u32::MAX };

const FEWEST_PLACES: usize = 16;

impl ById {
    /// The slot with this number that `is_it`.
    #[inline]
    pub(super) fn find(&self, number: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = self.home(number)?;
        loop {
            let place = self.places[at];
            if place == FREE {
                return None;
            }
            if place.number == number && is_it(place.slot) {
                return Some(place.slot);
            }
            at = self.next(at);
        }
    }

    /// Puts in a slot that is not there.
    pub(super) fn insert(&mut self, number: u32, slot: u32) {
        if (self.len + 1) * 4 > self.places.len() * 3 {
            self.resize((self.places.len() * 2).max(FEWEST_PLACES));
        }
        self.put(Place { number, slot });
        self.len += 1;
    }

    /// Takes a slot out, if it is there.
    pub(super) fn remove(&mut self, number: u32, slot: u32) {
        let Some(mut free) = self.home(number) else { return };
        while self.places[free] != (Place { number, slot }) {
            if self.places[free] == FREE {
                return;
            }
            free = self.next(free);
        }
        let mut at = self.next(free);
        while self.places[at] != FREE {
            // Whoever is nearer to its home than to the gap stays: it would not be found before it.
            let home = self.home(self.places[at].number).expect("there are places");
            if self.distance(home, at) >= self.distance(free, at) {
                self.places[free] = self.places[at];
                free = at;
            }
            at = self.next(at);
        }
        self.places[free] = FREE;
        self.len -= 1;
        if self.places.len() > FEWEST_PLACES && self.len * 8 < self.places.len() {
            self.resize(self.places.len() / 2);
        }
    }

    /// Where a number stands if nothing else does. `None`: there is nothing.
    #[inline]
    fn home(&self, number: u32) -> Option<usize> {
        Some(number as usize & self.places.len().checked_sub(1)?)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }

    /// How far it is from one place to another, going on.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.places.len() - 1)
    }

    fn put(&mut self, place: Place) {
        let mut at = self.home(place.number).expect("there are places");
        while self.places[at] != FREE {
            at = self.next(at);
        }
        self.places[at] = place;
    }

    fn resize(&mut self, places: usize) {
        let before = core::mem::replace(&mut self.places, vec![FREE; places]);
        before.into_iter().filter(|place| *place != FREE).for_each(|place| self.put(place));
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::random;

    /// Numbers that meet, also at the end of the places, put in and taken out again and again.
    #[test]
    fn as_an_ordered_set_has_it() {
        for seed in 0..60 {
            let (mut table, mut set) = (ById::default(), BTreeSet::new());
            let mut state = seed;
            let mut below = |limit: u64| {
                state = random::mix(state, 1);
                (state >> 8) % limit
            };
            let numbers = [4, 40, 4_000][seed as usize % 3];
            let most = 1 + below(300);
            for step in 0..2_000 {
                // Also numbers whose homes are the last places.
                let number = (below(numbers) as u32).wrapping_sub(2);
                let slot = below(most) as u32;
                let is_there = set.contains(&(number, slot));
                let found = table.find(number, |found| found == slot);
                assert_eq!(found, is_there.then_some(slot), "seed {seed}, step {step}");
                let fills = step / 500 % 2 == 0;
                match is_there {
                    false if fills || below(4) == 0 => {
                        table.insert(number, slot);
                        set.insert((number, slot));
                    }
                    true if !fills || below(4) == 0 => {
                        table.remove(number, slot);
                        set.remove(&(number, slot));
                    }
                    _ => {}
                }
                assert_eq!(table.len, set.len());
                assert!(table.places.len() <= 16.max(table.len * 16), "it takes no more room");
            }
        }
    }
}
