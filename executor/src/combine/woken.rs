//! Which branches were woken: a set of small numbers that any thread adds to.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

const BITS: usize = usize::BITS as usize;

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
                left if left >= BITS => usize::MAX,
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
