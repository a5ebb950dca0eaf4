//! How much of everything there may be.

/// Deeper values are refused, so that none overflows a stack.
pub(crate) const MOST_LEVELS: u32 = 128;

/// So many bytes a value may take unless the caller says otherwise.
pub(crate) const MOST_BYTES: usize = 64 << 20;

/// A shape with so many nodes gets no more: what is new in it describes itself.
pub(crate) const MOST_NODES: usize = 1_000;

/// A type that had so many shapes in one process describes itself from then on.
pub(crate) const MOST_SHAPES: u32 = 64;

/// Longer tuples are written as lists: a part of a tuple takes room in the shape.
pub(crate) const MOST_PARTS: usize = 64;

/// So many more parts that take no bytes may be in a value than it has bytes: a count of them is a
/// few bytes, and damaged ones must not make a reader count to 2^64.
pub(crate) const MOST_EMPTY: usize = 1_000_000;

/// A description of a shape ends when it has become so long.
pub(crate) const MOST_TEXT: usize = 2_000;
