//! Numbers in as few bytes as they need: seven bits a byte, the lowest first, the top bit set on
//! all but the last.

use alloc::vec::Vec;

/// Appends a number: one byte below 128, ten at most.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front, or `None` if there is none.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        let low = u64::from(byte & 0x7f);
        if i == 9 && low > 1 {
            return None;
        }
        number |= low << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(number);
        }
    }
    None
}

/// Appends the difference between two numbers: small either way, few bytes.
pub(super) fn put_delta(bytes: &mut Vec<u8>, from: u64, to: u64) {
    let delta = to.wrapping_sub(from) as i64;
    put(bytes, ((delta << 1) ^ (delta >> 63)) as u64);
}

/// Takes a difference off the front and adds it to `from`.
pub(super) fn take_delta(bytes: &mut &[u8], from: u64) -> Option<u64> {
    let folded = take(bytes)?;
    Some(from.wrapping_add((folded >> 1) ^ (folded & 1).wrapping_neg()))
}

/// Appends bytes with their length in front.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes bytes with their length off the front.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Takes eight bytes off the front.
pub(super) fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

/// Takes four bytes off the front.
pub(super) fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_bad_ones_do_not() {
        let numbers = [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        for from in numbers {
            for to in numbers {
                let mut bytes = Vec::new();
                put(&mut bytes, to);
                put_delta(&mut bytes, from, to);
                let mut rest = &bytes[..];
                assert_eq!(take(&mut rest), Some(to));
                assert_eq!(take_delta(&mut rest, from), Some(to));
                assert_eq!(rest, []);
            }
        }
        for bad in [&[][..], &[0x80], &[0xff; 10], &[0xff; 11]] {
            assert_eq!(take(&mut &bad[..]), None);
        }
    }
}
