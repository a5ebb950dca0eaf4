//! Encoded values: borrowed from a history, or owned. Most are a few bytes long, and need no
//! memory of their own.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

use postcard::ser_flavors::Flavor;
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

/// Gathers the bytes of a value while it is encoded, in the place where they stay if they are
/// few: what was written byte by byte and is moved at once has to be waited for.
pub(crate) struct BytesWriter<'a> {
    length: usize,
    few: &'a mut [u8; FEW],
    /// All bytes, once they do not fit into `few`.
    many: Vec<u8>,
}

impl<'a> Bytes<'a> {
    /// Bytes for [`write`](Self::write) to write to.
    pub(crate) const EMPTY: Self = Self::Few(0, [0; FEW]);

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

    /// Replaces them by what `write` writes.
    pub(crate) fn write<E>(
        &mut self,
        write: impl FnOnce(BytesWriter<'_>) -> Result<(usize, Vec<u8>), E>,
    ) -> Result<(), E> {
        *self = Self::EMPTY;
        let Self::Few(length, few) = self else { unreachable!("it was just made so") };
        let (written, many) = write(BytesWriter { length: 0, few, many: Vec::new() })?;
        match u8::try_from(written) {
            Ok(few) if written <= FEW => *length = few,
            _ => *self = Self::Many(Rc::new(many)),
        }
        Ok(())
    }
}

impl BytesWriter<'_> {
    fn write(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.few.get_mut(self.length..end) {
            Some(free) => free.copy_from_slice(bytes),
            None => {
                if self.many.is_empty() {
                    self.many.reserve(end.max(2 * FEW));
                    self.many.extend_from_slice(&self.few[..self.length]);
                }
                self.many.extend_from_slice(bytes);
            }
        }
        self.length = end;
    }

    fn finish(self) -> (usize, Vec<u8>) {
        (self.length, self.many)
    }
}

impl Flavor for BytesWriter<'_> {
    type Output = (usize, Vec<u8>);

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        match self.few.get_mut(self.length) {
            Some(free) => {
                *free = byte;
                self.length += 1;
            }
            None => self.write(&[byte]),
        }
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.write(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<(usize, Vec<u8>)> {
        Ok(self.finish())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length around the change of form, written in pieces of every size.
    #[test]
    fn nothing_is_lost_where_few_become_many() {
        let all: Vec<u8> = (0..3 * FEW as u8).collect();
        for length in 0..all.len() {
            for piece in 1..=length.max(1) {
                let mut bytes = Bytes::EMPTY;
                let Ok(()) = bytes.write(|mut writer| {
                    all[..length].chunks(piece).for_each(|bytes| writer.write(bytes));
                    Ok::<_, core::convert::Infallible>(writer.finish())
                });
                assert_eq!(bytes.as_slice(), &all[..length]);
                assert_eq!(matches!(bytes, Bytes::Few(..)), length <= FEW);
                assert_eq!(Bytes::Borrowed(&all[..length]).into_owned(), bytes);
            }
        }
    }
}
