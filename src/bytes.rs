//! Encoded values: borrowed from a history, or owned. Most are a few bytes long, and need no
//! memory of their own.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes of a value. A clone shares them.
#[derive(Clone)]
pub(crate) enum Bytes<'a> {
    Borrowed(&'a [u8]),
    /// How many of them count, and they.
    Few(u8, [u8; FEW]),
    Many(Rc<Vec<u8>>),
}

/// So many bytes fit beside the tag of a [`Bytes`] that is as large as it must be anyway.
const FEW: usize = 22;

/// So many are put together in a register.
const WORD: usize = 8;

impl Bytes<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Few(length, bytes) => &bytes[..usize::from(*length)],
            Self::Many(bytes) => bytes,
        }
    }

    /// The same bytes, where they are.
    pub(crate) fn borrowed(&self) -> Bytes<'_> {
        Bytes::Borrowed(self.as_slice())
    }

    /// The same bytes, free of whatever they were borrowed from.
    pub(crate) fn into_owned(self) -> Bytes<'static> {
        match self {
            Self::Borrowed(bytes) => {
                let mut owned = Bytes::EMPTY;
                owned.copy(bytes);
                owned
            }
            Self::Few(length, bytes) => Bytes::Few(length, bytes),
            Self::Many(bytes) => Bytes::Many(bytes),
        }
    }
}

impl Bytes<'_> {
    /// None, for [`copy`](Self::copy).
    pub(crate) const EMPTY: Self = Self::Few(0, [0; FEW]);

    /// Those of a buffer, which is as good as empty afterwards. Few are copied at once, whatever their number.
    #[inline(always)]
    pub(crate) fn taken_from(buffer: &mut Vec<u8>) -> Self {
        let length = buffer.len();
        if length <= WORD {
            // One by one they come from the stores that have just written them; what is read over several of
            // these waits until they have all left the processor.
            let low = buffer.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            let mut few = [0; FEW];
            few[..WORD].copy_from_slice(&low.to_le_bytes());
            return Self::Few(length as u8, few);
        }
        if length <= FEW {
            buffer.extend_from_slice(&[0; FEW]);
            if let Some(few) = buffer.first_chunk() {
                return Self::Few(length as u8, *few);
            }
        }
        Self::Many(Rc::new(buffer.to_vec()))
    }

    /// Replaces them by these.
    pub(crate) fn copy(&mut self, bytes: &[u8]) {
        *self = Self::EMPTY;
        match self {
            Self::Few(length, few) if bytes.len() <= FEW => {
                *length = bytes.len() as u8;
                few[..bytes.len()].copy_from_slice(bytes);
            }
            _ => *self = Self::Many(Rc::new(bytes.to_vec())),
        }
    }
}

impl From<Vec<u8>> for Bytes<'_> {
    /// Many.
    fn from(bytes: Vec<u8>) -> Self {
        Self::Many(Rc::new(bytes))
    }
}

impl PartialEq for Bytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes<'_> {}

impl fmt::Debug for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_slice())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BorrowBytes).map(Bytes::Borrowed)
    }
}

struct BorrowBytes;

impl<'de> Visitor<'de> for BorrowBytes {
    type Value = &'de [u8];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
        Ok(bytes)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<&'de [u8], E> {
        Err(E::custom("text where bytes belong"))
    }
}

/// Whether `part` stands somewhere in `all`.
pub(crate) fn contains(all: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return true };
    let mut left = all;
    while let Some(at) = left.iter().position(|byte| byte == first) {
        left = &left[at + 1..];
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length around the change of form.
    #[test]
    fn nothing_is_lost_where_few_become_many() {
        let all: Vec<u8> = (0..3 * FEW as u8).collect();
        for length in 0..all.len() {
            let mut bytes = Bytes::EMPTY;
            bytes.copy(&all[..length]);
            assert_eq!(bytes.as_slice(), &all[..length]);
            let taken = Bytes::taken_from(&mut all[..length].to_vec());
            assert_eq!(taken.as_slice(), &all[..length]);
            assert_eq!(matches!(bytes, Bytes::Few(..)), length <= FEW);
            assert_eq!(Bytes::Borrowed(&all[..length]).into_owned(), bytes);
            assert_eq!(Bytes::from(all[..length].to_vec()), bytes);
        }
    }
}
