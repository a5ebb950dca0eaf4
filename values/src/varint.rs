//! Integers of as many bytes as they need, as in postcard: seven bits a byte, the lowest first.

use alloc::vec::Vec;

#[inline]
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    if value < 0x80 {
        return out.push(value as u8);
    }
    // Eight bytes are one store, of which those that count are kept.
    let (mut word, mut len) = (0, 0);
    while value >= 0x80 && len < 7 {
        word |= (value & 0x7f | 0x80) << (8 * len);
        value >>= 7;
        len += 1;
    }
    if value >= 0x80 {
        return put_rest(out, value, word);
    }
    let end = out.len() + len + 1;
    out.extend_from_slice(&(word | value << (8 * len)).to_le_bytes());
    out.truncate(end);
}

#[cold]
fn put_rest(out: &mut Vec<u8>, rest: u64, word: u64) {
    out.extend_from_slice(&word.to_le_bytes()[..7]);
    put(out, rest);
}

pub(crate) fn put_wide(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes one off the front of `from`; `None` if it does not end there, or not within 64 bits.
#[inline]
pub(crate) fn take(from: &mut &[u8]) -> Option<u64> {
    match *from {
        [first, rest @ ..] if *first < 0x80 => {
            *from = rest;
            Some((*first).into())
        }
        _ => take_long(from),
    }
}

#[inline(never)]
fn take_long(from: &mut &[u8]) -> Option<u64> {
    match *from {
        [one, two, rest @ ..] if *two < 0x80 => {
            *from = rest;
            Some(low(*one) | low(*two) << 7)
        }
        [one, two, three, rest @ ..] if *three < 0x80 => {
            *from = rest;
            Some(low(*one) | low(*two) << 7 | low(*three) << 14)
        }
        _ => take_longest(from),
    }
}

/// What a byte says of the value.
fn low(byte: u8) -> u64 {
    u64::from(byte & 0x7f)
}

fn take_longest(from: &mut &[u8]) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    for (place, &byte) in from.iter().take(10).enumerate() {
        value |= low(byte) << shift;
        shift += 7;
        if byte < 0x80 {
            *from = &from[place + 1..];
            return (place < 9 || byte <= 1).then_some(value);
        }
    }
    None
}

/// The same of 128 bits.
pub(crate) fn take_wide(from: &mut &[u8]) -> Option<u128> {
    let (mut value, mut shift) = (0, 0);
    for (place, &byte) in from.iter().take(19).enumerate() {
        value |= u128::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            *from = &from[place + 1..];
            return (place < 18 || byte <= 3).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_read_back() {
        for shift in 0..128 {
            for value in [u128::MAX >> shift, 1 << (127 - shift)] {
                let mut out = alloc::vec![7];
                put_wide(&mut out, value);
                let mut rest = &out[1..];
                assert_eq!((take_wide(&mut rest), rest), (Some(value), &[][..]));
                let Ok(value) = u64::try_from(value) else { continue };
                let mut short = alloc::vec![7];
                put(&mut short, value);
                assert_eq!(short, out);
                let mut rest = &out[1..];
                assert_eq!((take(&mut rest), rest), (Some(value), &[][..]));
                assert_eq!(take(&mut &out[1..out.len() - 1]), None, "cut off");
            }
        }
        assert_eq!(take(&mut &[0xff; 30][..]), None);
        assert_eq!(take_wide(&mut &[0xff; 30][..]), None);
    }
}
