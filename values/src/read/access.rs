//! The parts of what is read.

use core::slice;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::{Reader, damaged};
use crate::error::{Error, Result};
use crate::kind::{Id, Kind};
use crate::shape::{Child, Node};

/// The elements of a list.
pub(super) struct List<'r, 'de, 's> {
    pub(super) reader: &'r mut Reader<'de, 's>,
    pub(super) each: Id,
    pub(super) left: u64,
}

impl<'de> SeqAccess<'de> for List<'_, 'de, '_> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.reader.at = self.each;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.reader.hint(self.left))
    }
}

/// The parts of a tuple, or of a struct by their place.
pub(super) struct Places<'r, 'de, 's> {
    pub(super) reader: &'r mut Reader<'de, 's>,
    pub(super) children: slice::Iter<'s, Child>,
}

impl<'de> SeqAccess<'de> for Places<'_, 'de, '_> {
    type Error = Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        let Some(child) = self.children.next() else { return Ok(None) };
        self.reader.at = child.node;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.children.len())
    }
}

/// The entries of a map.
pub(super) struct Pairs<'r, 'de, 's> {
    pub(super) reader: &'r mut Reader<'de, 's>,
    /// Of the keys and of the values.
    pub(super) nodes: [Id; 2],
    pub(super) left: u64,
}

impl<'de> MapAccess<'de> for Pairs<'_, 'de, '_> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.reader.at = self.nodes[0];
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        self.reader.at = self.nodes[1];
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.reader.hint(self.left))
    }
}

/// The fields of a struct by their names.
pub(crate) struct Fields<'r, 'de, 's> {
    pub(crate) reader: &'r mut Reader<'de, 's>,
    node: &'s Node,
    /// Of the field that comes next.
    place: usize,
    /// The place of each field is before it, and there are more.
    is_loose: bool,
    /// The field whose name was read.
    child: Option<&'s Child>,
}

impl<'r, 'de, 's> Fields<'r, 'de, 's> {
    pub(crate) fn new(reader: &'r mut Reader<'de, 's>, node: &'s Node) -> Self {
        Fields { reader, node, place: 0, is_loose: node.kind == Kind::Loose, child: None }
    }

    pub(crate) fn next(&mut self) -> Result<Option<&'s Child>> {
        let children = &self.node.children;
        if self.is_loose {
            let place = usize::try_from(self.reader.varint()?).map_err(|_| damaged())?;
            if place > children.len() {
                return Err(damaged());
            }
            // Behind the last one nothing is read, however often it is asked for.
            self.is_loose = place > 0;
            self.place = place.checked_sub(1).unwrap_or(children.len());
        }
        self.child = children.get(self.place);
        self.place += 1;
        Ok(self.child)
    }
}

impl<'de> MapAccess<'de> for Fields<'_, 'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(child) = self.next()? else { return Ok(None) };
        seed.deserialize(StrDeserializer::new(child.name.as_str())).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        let child = self.child.ok_or_else(damaged)?;
        self.reader.field = Some((self.reader.rest.len(), self.node, child));
        self.reader.at = child.node;
        seed.deserialize(&mut *self.reader)
    }
}

/// The name of a variant.
pub(crate) enum Name<'de, 's> {
    Here(&'de str),
    OfShape(&'s str),
}

impl<'de> Name<'de, '_> {
    pub(super) fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Name::Here(name) => visitor.visit_borrowed_str(name),
            Name::OfShape(name) => visitor.visit_str(name),
        }
    }

    #[inline]
    fn seed<K: DeserializeSeed<'de>>(self, seed: K) -> Result<K::Value> {
        match self {
            Name::Here(name) => seed.deserialize(BorrowedStrDeserializer::new(name)),
            Name::OfShape(name) => seed.deserialize(StrDeserializer::new(name)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Name::Here(name) => name,
            Name::OfShape(name) => name,
        }
    }
}

/// A variant as a map with one entry.
pub(super) struct One<'r, 'de, 's> {
    pub(super) reader: &'r mut Reader<'de, 's>,
    pub(super) name: Option<Name<'de, 's>>,
}

impl<'de> MapAccess<'de> for One<'_, 'de, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.name.take().map(|name| name.seed(seed)).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant as an enum.
pub(super) struct Content<'r, 'de, 's> {
    pub(super) reader: &'r mut Reader<'de, 's>,
    pub(super) name: Name<'de, 's>,
}

impl<'r, 'de, 's> EnumAccess<'de> for Content<'r, 'de, 's> {
    type Error = Error;
    type Variant = &'r mut Reader<'de, 's>;

    #[inline]
    fn variant_seed<K: DeserializeSeed<'de>>(self, seed: K) -> Result<(K::Value, Self::Variant)> {
        Ok((self.name.seed(seed)?, self.reader))
    }
}
