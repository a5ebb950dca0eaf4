//! A shape in bytes: its root, then its nodes, each with its kind, its name and its children.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::kind::{FIRST, Id, Kind};
use crate::limits::{MOST_NODES, MOST_PARTS};
use crate::shape::{Child, Name, Node, Shape};
use crate::varint;

impl Shape {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        varint::put(&mut out, self.root.into());
        varint::put(&mut out, self.nodes.len() as u64);
        for node in &self.nodes {
            out.push(node.kind as u8);
            put_name(&mut out, &node.name);
            varint::put(&mut out, node.children.len() as u64);
            for child in &node.children {
                put_name(&mut out, &child.name);
                varint::put(&mut out, child.index.into());
                varint::put(&mut out, child.node.into());
            }
        }
        out
    }

    /// `None` unless it is one that was written: no walk along it may leave it.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Shape> {
        let root = take_number(&mut bytes)?;
        let count = take_number(&mut bytes)?;
        if count as usize > MOST_NODES {
            return None;
        }
        let nodes = (0..count).map(|_| take_node(&mut bytes)).collect::<Option<Vec<Node>>>()?;
        let shape = Shape { root, nodes };
        let is_sound = bytes.is_empty()
            && shape.node(root).is_some()
            && shape.nodes.iter().all(|node| is_sound(node, FIRST + count));
        is_sound.then_some(shape)
    }
}

fn put_name(out: &mut Vec<u8>, name: &Name) {
    varint::put(out, name.as_str().len() as u64);
    out.extend_from_slice(name.as_str().as_bytes());
}

fn take_number(bytes: &mut &[u8]) -> Option<u32> {
    varint::take(bytes)?.try_into().ok()
}

fn take_name(bytes: &mut &[u8]) -> Option<Name> {
    let len = take_number(bytes)? as usize;
    let (name, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(Name::new(core::str::from_utf8(name).ok()?.to_string()))
}

fn take_node(bytes: &mut &[u8]) -> Option<Node> {
    let kind = Kind::of(take_number(bytes)?)?;
    let name = take_name(bytes)?;
    let count = take_number(bytes)?;
    // Not reserved: the count may be damaged, and then the bytes end early.
    let mut children = Vec::new();
    for _ in 0..count {
        let (name, index) = (take_name(bytes)?, take_number(bytes)?);
        children.push(Child { name, index, node: take_number(bytes)? });
    }
    Some(Node::new(kind, name, children))
}

fn is_sound(node: &Node, end: Id) -> bool {
    let has_children = match node.kind {
        Kind::Option | Kind::List => node.children.len() == 1,
        Kind::Map => node.children.len() == 2,
        Kind::Tuple => node.children.len() <= MOST_PARTS,
        Kind::Struct | Kind::Loose | Kind::Enum => true,
        _ => false,
    };
    let is_leaf = |id| Kind::of(id).is_some_and(Kind::is_leaf);
    let leads_somewhere = |child: &Child| is_leaf(child.node) || (FIRST..end).contains(&child.node);
    has_children && node.children.iter().all(leads_somewhere)
}
