//! Lists, maps, tuples and structs, part by part.

use alloc::vec::Vec;

use serde::ser::{self, Serialize};

use super::Writer;
use crate::error::{Error, Result};
use crate::kind::{Id, Kind};
use crate::limits::MOST_PARTS;
use crate::varint;

pub(crate) struct Compound<'w, 'o> {
    pub(super) writer: &'w mut Writer<'o>,
    pub(super) node: Id,
    /// How many it takes: the parts of a variant are in the variant.
    pub(super) levels: u32,
    /// From the place of a part in the node to that of the next one: the elements of a list have one.
    pub(super) step: usize,
    /// How many parts there were; of a map, its keys and its values.
    pub(super) place: usize,
    /// How many there should be.
    pub(super) len: usize,
    /// Where the count belongs, if it was not known beforehand.
    pub(super) start: Option<usize>,
}

impl<'w, 'o> Compound<'w, 'o> {
    #[inline(always)]
    pub(super) fn list(writer: &'w mut Writer<'o>, len: Option<usize>) -> Result<Self> {
        writer.deeper()?;
        let node = writer.container(Kind::List, 1);
        let start = put_or_note(writer, len);
        Ok(Self { writer, node, levels: 1, step: 0, place: 0, len: len.unwrap_or(0), start })
    }

    #[inline(always)]
    pub(super) fn map(writer: &'w mut Writer<'o>, len: Option<usize>) -> Result<Self> {
        writer.deeper()?;
        let node = writer.container(Kind::Map, 2);
        let start = put_or_note(writer, len);
        Ok(Self { writer, node, levels: 1, step: 0, place: 0, len: len.unwrap_or(0), start })
    }

    #[inline(always)]
    pub(super) fn tuple(writer: &'w mut Writer<'o>, len: usize) -> Result<Self> {
        if len > MOST_PARTS {
            return Self::list(writer, Some(len));
        }
        writer.deeper()?;
        let node = match writer.shape.node(writer.at) {
            Some(node) if node.kind == Kind::Tuple && node.children.len() == len => writer.at,
            _ => writer.unlike(Kind::Tuple, "", len),
        };
        let is_list = node == Kind::List as Id;
        if is_list {
            varint::put(writer.out, len as u64);
        } else if len == 0 {
            writer.nothing()?;
        }
        let step = usize::from(!is_list);
        Ok(Self { writer, node, levels: 1, step, place: 0, len, start: None })
    }

    /// An element of a list, or a part of a tuple.
    #[inline(always)]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let place = self.place * self.step;
        if self.place == self.len && self.start.is_none() {
            return Err(miscounted(self.len));
        }
        self.place += 1;
        self.value_at(place, value)
    }

    #[inline(always)]
    fn value_at<T: Serialize + ?Sized>(&mut self, place: usize, value: &T) -> Result<()> {
        self.writer.go(self.node, place);
        value.serialize(&mut *self.writer)?;
        self.writer.make_room();
        Ok(())
    }

    /// Whether it is the turn of a key (0) or of a value (1).
    #[inline(always)]
    fn turn(&mut self, of: usize) -> Result<()> {
        if self.place % 2 != of {
            return Err(Error::refused("its keys and values do not take turns"));
        }
        self.place += 1;
        Ok(())
    }

    #[inline(always)]
    fn end_parts(self) -> Result<()> {
        self.writer.depth -= self.levels;
        match self.start {
            Some(start) => put_count(self.writer, start, self.place),
            None if self.place != self.len => return Err(miscounted(self.len)),
            None => {}
        }
        Ok(())
    }
}

/// Writes a count, or says where it belongs.
#[inline(always)]
fn put_or_note(writer: &mut Writer<'_>, count: Option<usize>) -> Option<usize> {
    let Some(count) = count else { return Some(writer.out.len()) };
    varint::put(writer.out, count as u64);
    None
}

#[cold]
fn put_count(writer: &mut Writer<'_>, start: usize, count: usize) {
    let mut bytes = Vec::new();
    varint::put(&mut bytes, count as u64);
    // What was dropped is not looked at any more, but counted.
    let start = start.min(writer.out.len());
    writer.out.splice(start..start, bytes);
}

#[cold]
pub(super) fn miscounted(len: usize) -> Error {
    Error::refused(format_args!("its length was given as {len}, and is another"))
}

macro_rules! compound {
    ($($trait:ident { $method:ident ( $($arg:ident : $type:ty),* ) $by:ident $end:ident })*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, $($arg: $type,)* value: &T) -> Result<()> {
                self.$by($($arg,)* value)
            }

            #[inline(always)]
            fn end(self) -> Result<()> {
                self.$end()
            }
        }
    )*};
}

compound! {
    SerializeSeq { serialize_element() part end_parts }
    SerializeTuple { serialize_element() part end_parts }
    SerializeTupleStruct { serialize_field() part end_parts }
    SerializeTupleVariant { serialize_field() part end_parts }
    SerializeStruct { serialize_field(key: &'static str) field end_fields }
    SerializeStructVariant { serialize_field(key: &'static str) field end_fields }
}

impl ser::SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.turn(0)?;
        self.value_at(0, key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.turn(1)?;
        self.value_at(1, value)
    }

    #[inline]
    fn end(mut self) -> Result<()> {
        self.turn(0)?;
        self.place /= 2;
        self.end_parts()
    }
}
