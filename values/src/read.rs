//! Bytes to values, along the shape that they were written with.
//!
//! What a type asks for is found by its name; in a struct whose fields are the same ones in the
//! same order, by its place.

mod access;
mod deserializer;
mod numbers;
mod walk;

use core::str;

use crate::error::{Error, Result};
use crate::kind::{ANY, FIRST, Id, Kind, UNIT};
use crate::limits::{MOST_EMPTY, MOST_LEVELS};
use crate::shape::{Child, Node};
use crate::unread::Unread;
use crate::varint;
use access::Name;

pub(crate) use access::Fields;
pub(crate) use numbers::Number;

pub(crate) struct Reader<'de, 's> {
    rest: &'de [u8],
    nodes: &'s [Node],
    /// What is read next.
    at: Id,
    depth: u32,
    /// How many parts may still take no bytes.
    empty: usize,
    way: Way<'s>,
    /// The field that comes next, and how many bytes are left before it.
    field: Option<(usize, &'s Node, &'s Child)>,
}

/// How the fields of structs are found.
#[derive(Clone, Copy)]
pub(crate) enum Way<'s> {
    /// By their places, in structs that have the fields of the type, and in their order.
    ByPlace,
    ByName,
    /// By their names, and those that nobody asks for are noted.
    Noting(&'s Unread),
}

impl<'de, 's> Reader<'de, 's> {
    #[inline(always)]
    pub(crate) fn new(bytes: &'de [u8], nodes: &'s [Node], root: Id, way: Way<'s>) -> Self {
        let empty = MOST_EMPTY + bytes.len();
        Reader { rest: bytes, nodes, at: root, depth: 0, empty, way, field: None }
    }

    #[inline(always)]
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(damaged()) }
    }

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.rest.split_first().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64> {
        varint::take(&mut self.rest).ok_or_else(damaged)
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'de [u8]> {
        let len = usize::try_from(len).map_err(|_| damaged())?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Exactly so many bytes.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'de str> {
        str::from_utf8(self.bytes()?).map_err(|_| damaged())
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'de [u8]> {
        let len = self.varint()?;
        self.take(len)
    }

    pub(crate) fn char(&mut self) -> Result<char> {
        let mut chars = self.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(char), None) => Ok(char),
            _ => Err(damaged()),
        }
    }

    /// A byte that is 0 or 1.
    #[inline]
    pub(crate) fn bit(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(damaged()),
        }
    }

    /// What is left to be read: bytes, and parts without bytes.
    pub(crate) fn left(&self) -> usize {
        self.rest.len() + self.empty
    }

    /// A part that takes no bytes.
    pub(crate) fn nothing(&mut self) -> Result<()> {
        self.empty = self.empty.checked_sub(1).ok_or_else(damaged)?;
        Ok(())
    }

    /// `None` where the number of the place says all.
    #[inline(always)]
    pub(crate) fn node(&self) -> Option<&'s Node> {
        self.nodes.get(self.at.wrapping_sub(FIRST) as usize)
    }

    #[inline(always)]
    fn kind(&self) -> Kind {
        match self.node() {
            Some(node) => node.kind,
            None => Kind::of(self.at).unwrap_or(Kind::Unknown),
        }
    }

    /// What stands at a place of what is read now.
    #[inline(always)]
    pub(crate) fn child(&self, place: usize) -> Id {
        self.node().map_or(ANY, |node| node.children[place].node)
    }

    pub(crate) fn go(&mut self, to: Id) {
        self.at = to;
    }

    /// What stands here, where its kind may stand before it.
    #[inline]
    pub(crate) fn resolve(&mut self) -> Result<Kind> {
        if self.at == ANY {
            let number = self.byte()?;
            if !Kind::of(number.into()).is_some_and(Kind::describes_itself) {
                return Err(damaged());
            }
            self.at = number.into();
        }
        Ok(self.kind())
    }

    /// The same for a type that is no `Option`, or no longer.
    #[inline]
    fn resolve_some(&mut self) -> Result<Kind> {
        match self.kind() {
            Kind::Any | Kind::Option => self.resolve_inside(),
            kind => Ok(kind),
        }
    }

    #[inline(never)]
    fn resolve_inside(&mut self) -> Result<Kind> {
        while self.resolve()? == Kind::Option {
            self.at = if self.bit()? { self.child(0) } else { UNIT };
        }
        Ok(self.kind())
    }

    #[inline]
    pub(crate) fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MOST_LEVELS {
            return Err(too_deep());
        }
        Ok(())
    }

    pub(crate) fn higher(&mut self) {
        self.depth -= 1;
    }

    /// How many elements there can be, at most: a count may be damaged.
    pub(crate) fn hint(&self, count: u64) -> usize {
        usize::try_from(count).map_or(self.rest.len(), |count| count.min(self.rest.len()))
    }

    /// The name of the variant here; goes to what it holds.
    #[inline]
    pub(crate) fn variant(&mut self) -> Result<Name<'de, 's>> {
        let Some(node) = self.node() else {
            self.at = ANY;
            return self.text().map(Name::Here);
        };
        let place = usize::try_from(self.varint()?).map_err(|_| damaged())?;
        let child = node.children.get(place).ok_or_else(damaged)?;
        self.at = child.node;
        Ok(Name::OfShape(child.name.as_str()))
    }

    /// Whether the variant here holds nothing; if it holds something, nothing was read.
    pub(crate) fn is_unit(&mut self) -> Result<bool> {
        let before = (self.rest, self.at);
        let is_unit = self.resolve()? == Kind::Unit;
        if !is_unit {
            (self.rest, self.at) = before;
        }
        Ok(is_unit)
    }
}

#[cold]
pub(crate) fn damaged() -> Error {
    Error::damaged("the bytes are not of the recorded shape")
}

#[cold]
fn too_deep() -> Error {
    Error::damaged(format_args!("it nests more than {MOST_LEVELS} levels deep"))
}
