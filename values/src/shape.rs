//! The shape of a type, as far as values of it were seen: what stands where in their bytes.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::Cell;
use core::ptr;

use crate::kind::{ANY, FIRST, Id, Kind, UNKNOWN};
use crate::limits::MOST_NODES;

/// The name of a struct, a field, an enum or a variant.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: Cow<'static, str>,
    /// The same text of the program, if it was compared: a constant is nearly always in one place.
    seen: Cell<Option<&'static str>>,
}

impl Name {
    pub(crate) fn new(text: impl Into<Cow<'static, str>>) -> Name {
        Name { text: text.into(), seen: Cell::new(None) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    #[inline]
    pub(crate) fn is(&self, name: &'static str) -> bool {
        match self.seen.get() {
            Some(seen) if ptr::eq(seen, name) => true,
            _ => self.compare(name),
        }
    }

    #[inline(never)]
    fn compare(&self, name: &'static str) -> bool {
        let is_same = self.text == name;
        if is_same {
            self.seen.set(Some(name));
        }
        is_same
    }
}

/// A field, a variant, a part or the elements of a node.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) name: Name,
    /// The variant's index, by which variants are sorted.
    pub(crate) index: u32,
    pub(crate) node: Id,
}

impl Child {
    pub(crate) fn new(name: &'static str, index: u32) -> Child {
        Child { name: Name::new(name), index, node: UNKNOWN }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) name: Name,
    pub(crate) children: Vec<Child>,
    /// The first value of it is still being written, so its fields are not all known. Never set in
    /// a shape that has a number.
    pub(crate) is_open: bool,
    /// The list of fields of the reading type, once it was found to be that of the children.
    fields: Cell<&'static [&'static str]>,
}

impl Node {
    pub(crate) fn new(kind: Kind, name: Name, children: Vec<Child>) -> Node {
        Node { kind, name, children, is_open: false, fields: Cell::new(&[]) }
    }

    /// Whether the fields of the reading type are the children, one for one.
    #[inline]
    pub(crate) fn has(&self, fields: &'static [&'static str]) -> bool {
        let known = self.fields.get();
        let is_known = ptr::eq(known.as_ptr(), fields.as_ptr()) && known.len() == fields.len();
        is_known && known.len() == self.children.len() || self.compare(fields)
    }

    #[inline(never)]
    fn compare(&self, fields: &'static [&'static str]) -> bool {
        let is_same = fields.len() == self.children.len()
            && self.children.iter().zip(fields).all(|(child, field)| child.name.as_str() == *field);
        if is_same {
            self.fields.set(fields);
        }
        is_same
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Where the value itself is.
    pub(crate) root: Id,
    pub(crate) nodes: Vec<Node>,
}

impl Shape {
    /// That of a value of which nothing but `root` is known.
    pub(crate) const fn new(root: Id) -> Shape {
        Shape { root, nodes: Vec::new() }
    }

    /// `None` for a number that says all.
    #[inline(always)]
    pub(crate) fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id.wrapping_sub(FIRST) as usize)
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(id.wrapping_sub(FIRST) as usize)
    }

    /// What stands at a place of a node. In lists, maps and options that describe themselves, that
    /// is anything.
    #[inline(always)]
    pub(crate) fn child(&self, id: Id, place: usize) -> Id {
        self.node(id).map_or(ANY, |node| node.children[place].node)
    }

    /// Has a place of a node lead to `to`; what is no node holds the root.
    pub(crate) fn link(&mut self, (id, place): (Id, u32), to: Id) {
        match self.node_mut(id) {
            Some(node) => node.children[place as usize].node = to,
            None => self.root = to,
        }
    }

    /// What belongs to a kind that was not seen in this place before. One name of a struct or an
    /// enum is one node, so that recursive types come to an end.
    pub(crate) fn make(&mut self, kind: Kind, name: &'static str, children: usize) -> Id {
        if kind.is_leaf() {
            return kind as Id;
        }
        let is_enum = |kind| kind == Kind::Enum;
        let is_same = |node: &Node| is_enum(node.kind) == is_enum(kind) && node.name.is(name);
        if !name.is_empty()
            && let Some(at) = self.nodes.iter().position(is_same)
        {
            return FIRST + at as Id;
        }
        let children = (0..children).map(|_| Child::new("", 0)).collect();
        let node = Node { is_open: true, ..Node::new(kind, Name::new(name), children) };
        self.push(node)
    }

    /// Structs of several names in one place: the fields of all, each with its place.
    pub(crate) fn mix(&mut self, at: Id, name: &'static str) -> Id {
        let Some(known) = self.node(at) else { return ANY };
        let mut names: Vec<&str> = known.name.as_str().split('|').chain([name]).collect();
        names.sort_unstable();
        names.dedup();
        let mixed = names.join("|");
        let is_same = |node: &Node| node.kind == Kind::Loose && node.name.as_str() == mixed;
        match self.nodes.iter().position(is_same) {
            Some(at) => FIRST + at as Id,
            None => {
                let children = known.children.clone();
                self.push(Node::new(Kind::Loose, Name::new(mixed), children))
            }
        }
    }

    fn push(&mut self, node: Node) -> Id {
        if self.nodes.len() >= MOST_NODES {
            return ANY;
        }
        self.nodes.push(node);
        FIRST + self.nodes.len() as Id - 1
    }

    /// Whether both may be of one type: their roots are of one kind and one name.
    pub(crate) fn is_like(&self, other: &Shape) -> bool {
        let (Some(one), Some(two)) = (self.node(self.root), other.node(other.root)) else {
            return false;
        };
        let is_struct = |kind| matches!(kind, Kind::Struct | Kind::Loose);
        (one.kind == two.kind || is_struct(one.kind) && is_struct(two.kind))
            && one.name.as_str() == two.name.as_str()
    }

    /// Whether something is unknown before there is a name: values that fit may be of any type.
    pub(crate) fn is_vague(&self) -> bool {
        let (mut seen, mut next) = (Vec::new(), alloc::vec![self.root]);
        while let Some(id) = next.pop() {
            let Some(node) = self.node(id) else {
                if id == UNKNOWN {
                    return true;
                }
                continue;
            };
            if node.name.as_str().is_empty() && !seen.contains(&id) {
                seen.push(id);
                next.extend(node.children.iter().map(|child| child.node));
            }
        }
        false
    }

    /// Whether its values differ in what they hold: that one was read back says nothing of the next.
    pub(crate) fn is_dynamic(&self) -> bool {
        let is_any = |child: &Child| child.node == ANY;
        self.root == ANY
            || self
                .nodes
                .iter()
                .any(|node| node.kind == Kind::Loose || node.children.iter().any(is_any))
    }
}
