//! The nodes of the index of ids: a tree over hashes in which every node holds the checksums of
//! those below it, and the file's own row that of the root.
//!
//! ```text
//! leaf:   1 | for each run: hash of its id 8, run key 8; in order
//! branch: 2 | for each of sixteen children: its checksum 8, or 0 if there is none
//! ```

use alloc::vec::Vec;

use super::{Flaw, checksum, read_u64};
use crate::RunKey;

/// The hash of a run's id, and the run.
pub(crate) type Entry = (u64, RunKey);

#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Node {
    Leaf(Vec<Entry>),
    Branch([u64; 16]),
}

/// What ids are found by.
pub(crate) fn hash(id: &str) -> u64 {
    checksum(0, id.as_bytes())
}

/// Where a node is: the hashes below it share so many of their first half-bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    depth: u32,
    prefix: u64,
}

impl Place {
    pub(crate) const ROOT: Place = Place { depth: 0, prefix: 0 };

    /// Its key in the table: a one, then the shared half-bytes.
    pub(crate) fn key(self) -> u64 {
        1 << (4 * self.depth) | self.prefix
    }

    /// Which child a hash belongs to.
    pub(crate) fn child_of(self, hash: u64) -> usize {
        (hash >> (60 - 4 * self.depth)) as usize & 15
    }

    pub(crate) fn child(self, number: usize) -> Place {
        Place { depth: self.depth + 1, prefix: self.prefix << 4 | number as u64 }
    }

    /// Whether its children would have keys.
    pub(crate) fn may_branch(self) -> bool {
        self.depth < 15
    }
}

/// A node as it stands in the table, and its checksum, which is never 0.
pub(crate) fn pack(place: Place, node: &Node) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    match node {
        Node::Leaf(entries) => {
            bytes.push(1);
            for (hash, run) in entries {
                bytes.extend_from_slice(&hash.to_le_bytes());
                bytes.extend_from_slice(&run.0.to_le_bytes());
            }
        }
        Node::Branch(sums) => {
            bytes.push(2);
            sums.iter().for_each(|sum| bytes.extend_from_slice(&sum.to_le_bytes()));
        }
    }
    let sum = sum(place, &bytes);
    (bytes, sum)
}

/// Reads a node that must have this checksum.
pub(crate) fn read(place: Place, expected: u64, bytes: &[u8]) -> Result<Node, Flaw> {
    if sum(place, bytes) != expected {
        return Err("it does not match its checksum");
    }
    let numbers = bytes.get(1..).unwrap_or_default().chunks_exact(8);
    let mut numbers = numbers.map(|number| read_u64(number, 0));
    match (bytes.first(), bytes.len()) {
        (Some(1), length) if length % 16 == 1 => {
            let mut next = || Some((numbers.next()?, RunKey(numbers.next()?)));
            Ok(Node::Leaf(core::iter::from_fn(&mut next).collect()))
        }
        (Some(2), 129) => Ok(Node::Branch(core::array::from_fn(|_| {
            numbers.next().expect("sixteen numbers have 128 bytes")
        }))),
        _ => Err("it cannot be read"),
    }
}

fn sum(place: Place, bytes: &[u8]) -> u64 {
    checksum(place.key(), bytes).max(1)
}
