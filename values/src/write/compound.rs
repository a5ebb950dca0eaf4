//! Lists, maps, tuples and structs, part by part.

use alloc::vec::Vec;

use serde::ser::{self, Serialize};

use super::Writer;
use crate::error::Error;
use crate::kind::{ANY, Id, Kind};
use crate::limits::MOST_PARTS;
use crate::shape::Child;
use crate::varint;

pub(crate) struct Compound<'w, 'o> {
    writer: &'w mut Writer<'o>,
    node: Id,
    /// How many levels there were above it.
    above: u32,
    /// How many parts there were; of a map, its keys and its values.
    place: usize,
    /// How many there should be.
    len: usize,
    /// Where the count belongs, if it was not known beforehand.
    start: Option<usize>,
}

impl<'w, 'o> Compound<'w, 'o> {
    #[inline(always)]
    pub(super) fn list(
        writer: &'w mut Writer<'o>,
        above: u32,
        len: Option<usize>,
    ) -> Result<Self, Error> {
        writer.deeper()?;
        let node = writer.container(Kind::List, 1);
        Ok(Self::counted(writer, node, above, len))
    }

    #[inline(always)]
    pub(super) fn map(
        writer: &'w mut Writer<'o>,
        above: u32,
        len: Option<usize>,
    ) -> Result<Self, Error> {
        writer.deeper()?;
        let node = writer.container(Kind::Map, 2);
        Ok(Self { len: 2 * len.unwrap_or(0), ..Self::counted(writer, node, above, len) })
    }

    #[inline(always)]
    fn counted(writer: &'w mut Writer<'o>, node: Id, above: u32, len: Option<usize>) -> Self {
        let start = match len {
            Some(len) => {
                varint::put(writer.out, len as u64);
                None
            }
            None => Some(writer.out.len()),
        };
        Self { writer, node, above, place: 0, len: len.unwrap_or(0), start }
    }

    #[inline(always)]
    pub(super) fn tuple(writer: &'w mut Writer<'o>, above: u32, len: usize) -> Result<Self, Error> {
        if len > MOST_PARTS {
            return Self::list(writer, above, Some(len));
        }
        writer.deeper()?;
        let node = match writer.shape.node(writer.at) {
            Some(node) if node.kind == Kind::Tuple && node.children.len() == len => writer.at,
            _ => writer.unlike(Kind::Tuple, "", len),
        };
        if node == Kind::List as Id {
            varint::put(writer.out, len as u64);
        } else if len == 0 {
            writer.nothing()?;
        }
        Ok(Self { writer, node, above, place: 0, len, start: None })
    }

    #[inline(always)]
    pub(super) fn fields(
        writer: &'w mut Writer<'o>,
        above: u32,
        name: &'static str,
        len: usize,
    ) -> Result<Self, Error> {
        writer.deeper()?;
        let node =
            match writer.shape.node(writer.at) {
                Some(node) if matches!(node.kind, Kind::Struct | Kind::Loose) => {
                    if node.name.is(name) { writer.at } else { other_struct(writer, name) }
                }
                _ => writer.unlike(Kind::Struct, name, 0),
            };
        if node == Kind::Map as Id {
            varint::put(writer.out, len as u64);
        }
        Ok(Self { writer, node, above, place: 0, len, start: None })
    }

    /// An element of a list, or a part of a tuple.
    #[inline(always)]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let place = match self.writer.shape.node(self.node) {
            Some(node) if node.kind == Kind::Tuple => self.place,
            _ => 0,
        };
        if self.place == self.len && self.start.is_none() {
            return Err(miscounted(self.len));
        }
        self.place += 1;
        self.value_at(place, value)
    }

    #[inline(always)]
    fn value_at<T: Serialize + ?Sized>(&mut self, place: usize, value: &T) -> Result<(), Error> {
        self.writer.go(self.node, place);
        value.serialize(&mut *self.writer)?;
        self.writer.make_room();
        Ok(())
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        let place = self.place;
        let next = self.writer.shape.node(self.node).and_then(|node| {
            let child = node.children.get(place)?;
            (node.kind == Kind::Struct && child.name.is(key)).then_some(child.node)
        });
        self.place += 1;
        match next {
            Some(at) => {
                self.writer.at = at;
                self.writer.parent = (self.node, place as u32);
            }
            None => self.stray(key),
        }
        value.serialize(&mut *self.writer)
    }

    /// A field that is not the next one, or has its place with it.
    #[inline(never)]
    fn stray(&mut self, key: &'static str) {
        let Self { writer, node: at, .. } = self;
        let Some(node) = writer.shape.node(*at) else {
            // A map, which describes itself.
            writer.out.push(Kind::Text as u8);
            writer.bytes(key.as_bytes());
            return writer.go(*at, 1);
        };
        let is_new = node.is_open && self.place > node.children.len();
        let becomes_loose = node.kind == Kind::Struct && !is_new;
        let known = node.children.iter().position(|child| child.name.is(key));
        let place = known.unwrap_or(node.children.len());
        if (becomes_loose || known.is_none())
            && let Some(node) = writer.grow().node_mut(*at)
        {
            if becomes_loose {
                node.kind = Kind::Loose;
            }
            if known.is_none() {
                node.children.push(Child::new(key, 0));
            }
        }
        if writer.shape.node(*at).is_some_and(|node| node.kind == Kind::Loose) {
            varint::put(writer.out, place as u64 + 1);
        }
        writer.go(*at, place);
    }

    #[inline(always)]
    fn end_parts(self) -> Result<(), Error> {
        self.writer.depth = self.above;
        match self.start {
            None if self.place != self.len => Err(miscounted(self.len)),
            None => Ok(()),
            Some(start) => {
                put_count(self.writer, start, self.place);
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn end_fields(self) -> Result<(), Error> {
        let Self { writer, node: at, place, len, above, .. } = self;
        writer.depth = above;
        if place == 0 {
            writer.nothing()?;
        }
        match writer.shape.node(at) {
            Some(node) if node.kind == Kind::Loose => writer.out.push(0),
            Some(node) if place != node.children.len() || node.is_open => {
                end_grown(writer, at, place)
            }
            None if place != len => return Err(miscounted(len)),
            _ => {}
        }
        Ok(())
    }
}

/// A struct where one of another name was seen.
#[inline(never)]
fn other_struct(writer: &mut Writer<'_>, name: &'static str) -> Id {
    if let Some(known) = writer.shape.node(writer.at)
        && known.kind == Kind::Loose
        && known.name.as_str().split('|').any(|known| known == name)
    {
        return writer.at;
    }
    let at = writer.at;
    let mixed = writer.grow().mix(at, name);
    writer.link(mixed);
    if mixed != ANY {
        return mixed;
    }
    writer.out.push(Kind::Map as u8);
    Kind::Map as Id
}

/// The end of the first value of a struct, or of one that has fewer fields than were seen.
#[cold]
fn end_grown(writer: &mut Writer<'_>, at: Id, place: usize) {
    let Some(node) = writer.grow().node_mut(at) else { return };
    node.is_open = false;
    if place != node.children.len() {
        node.kind = Kind::Loose;
    }
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
fn miscounted(len: usize) -> Error {
    Error::refused(format_args!("its length was given as {len}, and is another"))
}

macro_rules! compound {
    ($($trait:ident { $method:ident ( $($arg:ident : $type:ty),* ) $by:ident $end:ident })*) => {$(
        impl ser::$trait for Compound<'_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(&mut self, $($arg: $type,)* value: &T) -> Result<(), Error> {
                self.$by($($arg,)* value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Error> {
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
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        if !self.place.is_multiple_of(2) {
            return Err(keys_and_values());
        }
        self.place += 1;
        self.value_at(0, key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.place.is_multiple_of(2) {
            return Err(keys_and_values());
        }
        self.place += 1;
        self.value_at(1, value)
    }

    #[inline]
    fn end(mut self) -> Result<(), Error> {
        if !self.place.is_multiple_of(2) {
            return Err(keys_and_values());
        }
        (self.place, self.len) = (self.place / 2, self.len / 2);
        self.end_parts()
    }
}

#[cold]
fn keys_and_values() -> Error {
    Error::refused("its keys and values do not take turns")
}
