//! Pseudo-random numbers that are a function of a seed: SplitMix64.
//!
//! Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

/// The golden ratio, as the odd 64-bit step of the generator.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that belongs to `index` in the sequence of `seed`.
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(STEP.wrapping_mul(index.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The UUID (version 4, variant 1) that belongs to `place` in the run with this seed and id. All that
/// it is made of goes into all of its 122 bits.
///
/// It is part of what a replay must find again: it must never give others.
pub(crate) fn uuid(seed: u64, id: &str, place: [u32; 3]) -> u128 {
    // Two chains of words, which begin apart.
    let half = |half: u64| {
        let place = place.map(u64::from);
        words(id).chain([id.len() as u64]).chain(place).fold(mix(seed, half), mix)
    };
    let random = u128::from(half(0)) << 64 | u128::from(half(1));
    random & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62
}

/// A text, eight bytes at a time.
pub(crate) fn words(text: &str) -> impl Iterator<Item = u64> {
    text.as_bytes().chunks(8).map(|chunk| match chunk.try_into() {
        Ok(word) => u64::from_le_bytes(word),
        Err(_) => chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    })
}

/// `bits` as a number from 0 up to, not including, 1.
pub(crate) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The first numbers of the published generator for the seed 1234567.
    #[test]
    fn gives_the_published_sequence() {
        let numbers: Vec<_> = (0..3).map(|index| mix(1_234_567, index)).collect();
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, published);
    }

    /// Runs in files draw them again: a change of these numbers makes replays diverge.
    #[test]
    fn uuids_stay_what_they_were() {
        assert_eq!(uuid(7, "order-7", [1, 0, 1]), 0xdbf0_2ba4_37ea_43d6_b045_515b_3ea4_f9c3);
        assert_eq!(uuid(u64::MAX, "", [2, 3, 4]), 0x40a2_c76e_d61d_4813_8b93_9b8a_e3b1_68fe);
    }

    #[test]
    fn uuids_are_valid_and_differ_in_each_part_of_their_place() {
        let mut seen = alloc::collections::BTreeSet::new();
        let ids = ["", "a", "b", "aaaaaaaa", "aaaaaaaa\0", "aaaaaaaaa", "\0"];
        for (seed, id) in (0..20).flat_map(|seed| ids.map(|id| (seed, id))) {
            for place in (0..64).map(|bits| [1 + bits % 4, bits / 4 % 4, 1 + bits / 16]) {
                let uuid = uuid(seed, id, place);
                assert_eq!((uuid >> 76 & 0xf, uuid >> 62 & 0b11), (4, 0b10));
                assert!(seen.insert(uuid), "{seed} {id:?} {place:?}");
            }
        }
        // Each of the 122 bits is set in half of them.
        for bit in (0..128).filter(|bit| !(76..80).contains(bit) && !(62..64).contains(bit)) {
            let set = seen.iter().filter(|&uuid| uuid >> bit & 1 == 1).count();
            assert!((4_200..4_760).contains(&set), "bit {bit} is set in {set} of {}", seen.len());
        }
    }

    #[test]
    fn fractions_stay_below_one() {
        assert_eq!(fraction(0), 0.0);
        assert!(fraction(u64::MAX) < 1.0);
    }
}
