//! Whatever stands in the bytes, shown to a visitor.

use serde::de::{self, MapAccess, Visitor};

use super::Reader;
use super::access::{Fields, List, One, Pairs, Places};
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::shape::Node;

impl<'de, 's> Reader<'de, 's> {
    #[inline]
    pub(super) fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        self.deeper()?;
        let each = self.child(0);
        let left = self.varint()?;
        let mut list = List { each, left, reader: self };
        let value = visitor.visit_seq(&mut list)?;
        if list.left > 0 {
            return Err(left_over(list.left));
        }
        self.higher();
        Ok(value)
    }

    #[inline]
    pub(super) fn places<V: Visitor<'de>>(
        &mut self,
        node: &'s Node,
        visitor: V,
    ) -> Result<V::Value> {
        self.deeper()?;
        if node.children.is_empty() {
            self.nothing()?;
        }
        let mut places = Places { children: node.children.iter(), reader: self };
        let value = visitor.visit_seq(&mut places)?;
        if places.children.len() > 0 {
            return Err(left_over(places.children.len() as u64));
        }
        self.higher();
        Ok(value)
    }

    pub(super) fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        self.deeper()?;
        let nodes = [self.child(0), self.child(1)];
        let left = self.varint()?;
        let mut pairs = Pairs { nodes, left, reader: self };
        let value = visitor.visit_map(&mut pairs)?;
        pass_over(pairs)?;
        self.higher();
        Ok(value)
    }

    pub(super) fn fields<V: Visitor<'de>>(
        &mut self,
        node: &'s Node,
        visitor: V,
    ) -> Result<V::Value> {
        self.deeper()?;
        if node.children.is_empty() {
            self.nothing()?;
        }
        let mut fields = Fields::new(self, node);
        let value = visitor.visit_map(&mut fields)?;
        pass_over(fields)?;
        self.higher();
        Ok(value)
    }

    pub(super) fn any<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match (self.resolve()?, self.node()) {
            (Kind::Unit, _) => {
                self.nothing()?;
                visitor.visit_unit()
            }
            (Kind::Bool, _) => visitor.visit_bool(self.bit()?),
            (Kind::Char, _) => visitor.visit_char(self.char()?),
            (Kind::Text, _) => visitor.visit_borrowed_str(self.text()?),
            (Kind::Bytes, _) => visitor.visit_borrowed_bytes(self.bytes()?),
            (Kind::Option, _) => self.option(visitor),
            (Kind::List, _) => self.list(visitor),
            (Kind::Map, _) => self.map(visitor),
            (Kind::Enum | Kind::Variant, _) => self.one(visitor),
            (Kind::Tuple, Some(node)) => self.places(node, visitor),
            (Kind::Struct | Kind::Loose, Some(node)) => self.fields(node, visitor),
            (kind, _) => self.number(kind)?.visit(visitor),
        }
    }

    #[inline]
    pub(super) fn option<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        if !self.bit()? {
            return visitor.visit_none();
        }
        self.deeper()?;
        self.at = self.child(0);
        let value = visitor.visit_some(&mut *self)?;
        self.higher();
        Ok(value)
    }

    /// As in JSON: the name of a variant, or a map from the name to what it holds.
    pub(super) fn one<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let name = self.variant()?;
        if self.is_unit()? {
            return name.visit(visitor);
        }
        self.deeper()?;
        let value = visitor.visit_map(One { name: Some(name), reader: self })?;
        self.higher();
        Ok(value)
    }
}

/// Reads what a type left of a map.
fn pass_over<'de>(mut entries: impl MapAccess<'de, Error = Error>) -> Result<()> {
    while entries.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cold]
fn left_over(left: u64) -> Error {
    Error::undecodable(format_args!("{left} more elements were recorded than are asked for"))
}
