//! Which branches were woken: a set of small numbers that any thread adds to.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::sync::{AtomicUsize, Ordering, WORD_BITS as BITS};

/// A word with all its bits.
const FULL: usize = usize::MAX >> (usize::BITS as usize - BITS);

/// The numbers below a bound that were added and not taken since.
///
/// `levels[0]` has a bit for each number, every further level one for each word of the level
/// below, and the last is a single word: the next number is found in as many steps as there are
/// levels, three for 100,000 numbers.
///
/// A word that is not zero has its bit set in the level above, or a thread that is just adding to
/// it is about to set that bit. The opposite does not hold: the bit of a word that became zero
/// stays until somebody looks.
pub(super) struct WokenSet {
    levels: Vec<Box<[AtomicUsize]>>,
}

impl WokenSet {
    /// The set of all numbers below `len`.
    pub(super) fn full(len: usize) -> WokenSet {
        let mut levels = Vec::new();
        let mut bits = len;
        loop {
            let words = bits.div_ceil(BITS).max(1);
            let filled = |word: usize| match bits.saturating_sub(word * BITS) {
                left if left >= BITS => FULL,
                left => (1 << left) - 1,
            };
            levels.push((0..words).map(|word| AtomicUsize::new(filled(word))).collect());
            if words == 1 {
                return WokenSet { levels };
            }
            bits = words;
        }
    }

    /// Adds a number; whether it was not in the set.
    pub(super) fn add(&self, number: usize) -> bool {
        let mut number = number;
        let mut added = true;
        for (level, words) in self.levels.iter().enumerate() {
            let bit = 1 << (number % BITS);
            let before = words[number / BITS].fetch_or(bit, Ordering::AcqRel);
            if level == 0 {
                added = before & bit == 0;
            }
            if before != 0 {
                break;
            }
            number /= BITS;
        }
        added
    }

    /// Takes out the lowest number that is not below `from`.
    pub(super) fn take(&self, from: usize) -> Option<usize> {
        let number = self.next(0, from)?;
        self.levels[0][number / BITS].fetch_and(!(1 << (number % BITS)), Ordering::AcqRel);
        Some(number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next(0, 0).is_none()
    }

    /// The lowest bit of a level that is set and not below `from`.
    fn next(&self, level: usize, from: usize) -> Option<usize> {
        let words = self.levels.get(level)?;
        let mut from = from;
        loop {
            let word = from / BITS;
            let bits = words.get(word)?.load(Ordering::Acquire) & (usize::MAX << (from % BITS));
            if bits != 0 {
                return Some(word * BITS + bits.trailing_zeros() as usize);
            }
            let word = self.next(level + 1, word + 1)?;
            self.tidy(level, word);
            from = word * BITS;
        }
    }

    /// Clears the bit that stands for a word which is zero.
    fn tidy(&self, level: usize, word: usize) {
        let below = &self.levels[level][word];
        if below.load(Ordering::Acquire) != 0 {
            return;
        }
        let (above, bit) = (&self.levels[level + 1][word / BITS], 1 << (word % BITS));
        above.fetch_and(!bit, Ordering::AcqRel);
        // Whoever added to the word before the bit was cleared relied on it.
        if below.load(Ordering::Acquire) != 0 {
            above.fetch_or(bit, Ordering::AcqRel);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_a_set_of_numbers_whatever_its_size() {
        for len in [0, 1, 63, 64, 65, 4_096, 4_097, 300_000] {
            let set = WokenSet::full(len);
            let mut expected: BTreeSet<usize> = (0..len.min(200)).collect();
            (200..len).for_each(|number| assert_eq!(set.take(200), Some(number)));
            assert_eq!(set.take(200), None);
            for step in 0..2_000_usize.min(len * 10) {
                let number = step.wrapping_mul(7_919_777) % len;
                assert_eq!(set.add(number), expected.insert(number));
                let from = step.wrapping_mul(104_729) % len;
                let taken = expected.range(from..).next().copied();
                assert_eq!(set.take(from), taken);
                taken.iter().for_each(|number| assert!(expected.remove(number)));
                assert_eq!(set.is_empty(), expected.is_empty());
            }
        }
    }

    #[test]
    fn what_threads_add_while_others_take_is_taken_once() {
        const LEN: usize = 10_000;
        let set = WokenSet::full(LEN);
        while set.take(0).is_some() {}
        let mut taken = Vec::new();
        std::thread::scope(|scope| {
            let adders = [0, 1].map(|half| {
                let add = |number| assert!(set.add(number));
                scope.spawn(move || (half..LEN).step_by(2).rev().for_each(add))
            });
            while !adders.iter().all(|adder| adder.is_finished()) {
                taken.extend(set.take(0));
            }
        });
        taken.extend(core::iter::from_fn(|| set.take(0)));
        taken.sort_unstable();
        assert!(taken.into_iter().eq(0..LEN));
    }
}
