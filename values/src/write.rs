//! Values to bytes, along a shape that grows where it does not cover them.
//!
//! Each call of a serializer is held against the shape. What the shape does not say yet is put into
//! a copy of it, and the caller has the value written again under that one: some of the bytes began
//! before the shape was what it is.

mod compound;
mod fields;
mod serializer;

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::error::{Error, Result};
use crate::kind::{ANY, Id, Kind, UNKNOWN};
use crate::limits::{MOST_EMPTY, MOST_LEVELS};
use crate::shape::{Child, Shape};
use crate::varint;

/// A name, as serde gives it.
type Text = &'static str;

pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Shared with whoever else has it, until it grows.
    shape: Rc<Shape>,
    /// The node of the value that is written next.
    at: Id,
    /// Where the shape says so: a node and the place in it.
    parent: (Id, u32),
    depth: u32,
    /// Where the value begins in `out`.
    start: usize,
    most_bytes: usize,
    /// Bytes that were dropped because there are too many. They are counted for the message.
    dropped: usize,
    /// How many parts took no bytes.
    empty: usize,
    has_grown: bool,
}

/// What came of it.
pub(crate) enum Written {
    /// The bytes are those of the value.
    Covered(Rc<Shape>),
    /// They are worth nothing: this is the shape to try next.
    Grown(Rc<Shape>),
}

impl<'o> Writer<'o> {
    #[inline(always)]
    pub(crate) fn new(out: &'o mut Vec<u8>, shape: Rc<Shape>, most_bytes: usize) -> Writer<'o> {
        let (at, start) = (shape.root, out.len());
        Writer {
            out,
            shape,
            at,
            parent: (UNKNOWN, 0),
            depth: 0,
            start,
            most_bytes,
            dropped: 0,
            empty: 0,
            has_grown: false,
        }
    }

    /// What to make of `result`, which the value's `Serialize` returned.
    #[inline(always)]
    pub(crate) fn finish(self, result: Result<()>) -> Result<Written> {
        if self.has_grown {
            return result.map(|()| Written::Grown(self.shape));
        }
        result?;
        let bytes = self.dropped + self.out.len() - self.start;
        if bytes > self.most_bytes {
            return Err(too_large(bytes, self.most_bytes));
        }
        Ok(Written::Covered(self.shape))
    }

    #[inline(always)]
    fn leaf(&mut self, kind: Kind) {
        if self.at != kind as Id {
            self.unlike(kind, "", 0);
        }
    }

    /// A leaf that takes no bytes.
    fn unit(&mut self) -> Result<()> {
        self.leaf(Kind::Unit);
        self.nothing()
    }

    fn nothing(&mut self) -> Result<()> {
        self.empty += 1;
        if self.empty > MOST_EMPTY + self.dropped + self.out.len() - self.start {
            return Err(Error::refused(format_args!(
                "more than {MOST_EMPTY} of its parts take no bytes"
            )));
        }
        Ok(())
    }

    /// Lengths are before what they count.
    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        varint::put(self.out, bytes.len() as u64);
        if bytes.len() > self.most_bytes {
            self.dropped += bytes.len();
            return;
        }
        self.out.extend_from_slice(bytes);
        self.make_room();
    }

    /// No more is held in memory than may be recorded, and little more.
    #[inline(always)]
    fn make_room(&mut self) {
        if self.out.len() - self.start > self.most_bytes {
            self.dropped += self.out.len() - self.start;
            self.out.truncate(self.start);
        }
    }

    /// The node for a value of `kind`, where the shape has something else.
    #[inline(never)]
    fn unlike(&mut self, kind: Kind, name: Text, children: usize) -> Id {
        if self.at == UNKNOWN {
            let made = self.grow().make(kind, name, children);
            self.link(made);
        } else if self.at != ANY {
            self.link(ANY);
        }
        if self.at != ANY {
            return self.at;
        }
        let kind = match kind {
            Kind::Tuple => Kind::List,
            Kind::Struct => Kind::Map,
            Kind::Enum => Kind::Variant,
            kind => kind,
        };
        self.out.push(kind as u8);
        kind as Id
    }

    /// The shape, to be changed: whoever else has it keeps it as it is.
    #[cold]
    fn grow(&mut self) -> &mut Shape {
        self.has_grown = true;
        Rc::make_mut(&mut self.shape)
    }

    fn link(&mut self, to: Id) {
        let parent = self.parent;
        self.grow().link(parent, to);
        self.at = to;
    }

    #[inline(always)]
    fn go(&mut self, node: Id, place: usize) {
        self.at = self.shape.child(node, place);
        self.parent = (node, place as u32);
    }

    #[inline(always)]
    fn container(&mut self, kind: Kind, children: usize) -> Id {
        match self.shape.node(self.at) {
            Some(node) if node.kind == kind => self.at,
            _ => self.unlike(kind, "", children),
        }
    }

    #[inline(always)]
    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MOST_LEVELS { Err(too_deep()) } else { Ok(()) }
    }

    /// Writes the variant, and goes to what it holds.
    #[inline(always)]
    fn variant(&mut self, name: Text, index: u32, variant: Text) -> Result<()> {
        self.deeper()?;
        let node = match self.shape.node(self.at) {
            Some(node) if node.kind == Kind::Enum && node.name.is(name) => self.at,
            _ => self.unlike(Kind::Enum, name, 0),
        };
        let Some(known) = self.shape.node(node) else {
            self.bytes(variant.as_bytes());
            self.go(node, 0);
            return Ok(());
        };
        let place = match known.children.get(index as usize) {
            Some(child) if child.name.is(variant) => index as usize,
            _ => match known.children.iter().position(|child| child.name.is(variant)) {
                Some(place) => place,
                None => self.new_variant(node, index, variant),
            },
        };
        varint::put(self.out, place as u64);
        self.go(node, place);
        Ok(())
    }

    #[cold]
    fn new_variant(&mut self, node: Id, index: u32, variant: Text) -> usize {
        let Some(node) = self.grow().node_mut(node) else { return 0 };
        let place = node.children.partition_point(|child| child.index <= index);
        node.children.insert(place, Child::new(variant, index));
        place
    }
}

#[cold]
fn too_deep() -> Error {
    Error::refused(format_args!("it nests more than {MOST_LEVELS} levels deep"))
}

#[cold]
fn too_large(bytes: usize, most: usize) -> Error {
    Error::too_large(format_args!("it takes {bytes} bytes, and at most {most} can be recorded"))
}
