//! Structs, field by field.

use serde::ser::Serialize;

use super::compound::{Compound, miscounted};
use super::{Text, Writer};
use crate::error::Result;
use crate::kind::{ANY, Id, Kind};
use crate::shape::{Child, Node};
use crate::varint;

impl<'w, 'o> Compound<'w, 'o> {
    #[inline(always)]
    pub(super) fn fields(writer: &'w mut Writer<'o>, name: Text, len: usize) -> Result<Self> {
        writer.deeper()?;
        let is_struct = |node: &&Node| matches!(node.kind, Kind::Struct | Kind::Loose);
        let node = match writer.shape.node(writer.at).filter(is_struct) {
            Some(node) if node.name.is(name) => writer.at,
            Some(_) => other_struct(writer, name),
            None => writer.unlike(Kind::Struct, name, 0),
        };
        if node == Kind::Map as Id {
            varint::put(writer.out, len as u64);
        }
        Ok(Self { writer, node, levels: 1, step: 1, place: 0, len, start: None })
    }

    #[inline(always)]
    pub(super) fn field<T: Serialize + ?Sized>(&mut self, key: Text, value: &T) -> Result<()> {
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
    fn stray(&mut self, key: Text) {
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
    pub(super) fn end_fields(self) -> Result<()> {
        let Self { writer, node: at, place, len, levels, .. } = self;
        writer.depth -= levels;
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
fn other_struct(writer: &mut Writer<'_>, name: Text) -> Id {
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
