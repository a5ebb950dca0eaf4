//! What a value consists of, one after another.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Result;
use crate::read::{Reader, Way};
use crate::shapes::Shapes;

/// A part of a value that holds no others: see [`Shapes::each_leaf`].
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Leaf<'a> {
    /// An integer of any width.
    Integer(i128),
    /// One that needs all 128 bits.
    Large(u128),
    /// A float of 32 bits.
    F32(f32),
    /// A float of 64 bits.
    F64(f64),
    /// A text, a character, or the name of a field or of a variant.
    Text(&'a str),
    /// What was written as bytes.
    Bytes(&'a [u8]),
}

impl Shapes {
    /// Gives `see` each leaf of a value, in the order in which they were written, with the names of the fields and
    /// variants that they stand in. All of them, also those of a [`Secret`](crate::Secret): it is for looking
    /// whether something can be in a value, for which no [view](Shapes::view) of it need be made.
    ///
    /// `()`, `None`, `true` and `false` are no leaves.
    ///
    /// # Errors
    ///
    /// [Damaged](crate::Error::is_damaged) if the bytes are not what was written; some leaves may be seen by then.
    ///
    /// ```
    /// use dacapo_values::{Leaf, Shapes};
    ///
    /// let shapes = Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&(7u8, Some("tea".to_string()), ()), &mut bytes)?;
    /// let mut seen = Vec::new();
    /// shapes.each_leaf(&bytes, &mut |leaf| seen.push(format!("{leaf:?}")))?;
    /// assert_eq!(seen, ["Integer(7)", r#"Text("tea")"#]);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn each_leaf(&self, bytes: &[u8], see: &mut dyn FnMut(Leaf<'_>)) -> Result<()> {
        let (shape, root, body) = self.find(bytes)?;
        let mut reader = Reader::new(body, &shape.nodes, root, Way::ByName);
        Leaves(see).deserialize(&mut reader)?;
        reader.end()
    }
}

/// Reads whatever is there.
struct Leaves<'f>(&'f mut dyn FnMut(Leaf<'_>));

impl<'de> DeserializeSeed<'de> for Leaves<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Leaves<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        (self.0)(Leaf::Integer(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        (self.0)(Leaf::Integer(value.into()));
        Ok(())
    }

    fn visit_i128<E>(self, value: i128) -> Result<(), E> {
        (self.0)(Leaf::Integer(value));
        Ok(())
    }

    fn visit_u128<E>(self, value: u128) -> Result<(), E> {
        (self.0)(i128::try_from(value).map_or(Leaf::Large(value), Leaf::Integer));
        Ok(())
    }

    fn visit_f32<E>(self, value: f32) -> Result<(), E> {
        (self.0)(Leaf::F32(value));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        (self.0)(Leaf::F64(value));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.0)(Leaf::Text(text));
        Ok(())
    }

    fn visit_char<E>(self, char: char) -> Result<(), E> {
        (self.0)(Leaf::Text(char.encode_utf8(&mut [0; 4])));
        Ok(())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        (self.0)(Leaf::Bytes(bytes));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        while all.next_element_seed(Leaves(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        while all.next_key_seed(Leaves(&mut *self.0))?.is_some() {
            all.next_value_seed(Leaves(&mut *self.0))?;
        }
        Ok(())
    }
}
