//! What can stand at a place of a value, by its number.

/// A place of a shape. Below [`FIRST`] it is the number of a kind, the same in every shape; from
/// there on it counts the shape's nodes.
pub(crate) type Id = u32;

/// The first number of a node in a shape, and of a shape in a file.
pub(crate) const FIRST: Id = 32;

/// The order is part of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Nothing was seen here yet: the inside of a `None`, the elements of an empty list.
    Unknown,
    /// Values of several kinds were seen here: each has its kind before it.
    Any,
    Unit,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    Option,
    List,
    Map,
    /// A variant with its name: only where anything may stand.
    Variant,
    Tuple,
    /// A struct whose fields all stand there, in their order.
    Struct,
    /// A struct of which each field has its place before it, and the last has 0 behind it.
    Loose,
    Enum,
}

pub(crate) const UNKNOWN: Id = Kind::Unknown as Id;
pub(crate) const ANY: Id = Kind::Any as Id;
pub(crate) const UNIT: Id = Kind::Unit as Id;

impl Kind {
    const ALL: [Kind; 27] = {
        use Kind::*;
        [
            Unknown, Any, Unit, Bool, I8, I16, I32, I64, I128, U8, U16, U32, U64, U128, F32, F64,
            Char, Text, Bytes, Option, List, Map, Variant, Tuple, Struct, Loose, Enum,
        ]
    };

    #[inline]
    pub(crate) fn of(number: Id) -> Option<Kind> {
        Self::ALL.get(number as usize).copied()
    }

    /// Whether a value of this kind can stand behind the number of the kind.
    #[inline]
    pub(crate) fn describes_itself(self) -> bool {
        (Kind::Unit as u8..=Kind::Variant as u8).contains(&(self as u8))
    }

    /// Whether it needs no node: its number says all.
    #[inline]
    pub(crate) fn is_leaf(self) -> bool {
        (self as u8) < Kind::Option as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_at_its_number() {
        for (number, kind) in (0..).zip(Kind::ALL) {
            assert_eq!(kind as Id, number);
            assert!(number < FIRST);
        }
    }
}
