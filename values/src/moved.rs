//! Values that move to another file, where their shapes have other numbers.

use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::decode::number_of;
use crate::error::{Error, Result};
use crate::kind::FIRST;
use crate::shape::Shape;
use crate::shapes::{Shapes, Stored};
use crate::varint;

impl Shapes {
    /// The shape with the number that a value begins with, as bytes; `None` for a number that needs no shape.
    ///
    /// # Errors
    ///
    /// [Damaged](crate::Error::is_damaged) if there is no such shape, or it is damaged.
    ///
    /// ```
    /// use dacapo_values::{Shapes, number_of};
    ///
    /// let shapes = Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&Some(7u8), &mut bytes)?;
    /// let shape = shapes.shape_bytes(number_of(&bytes)?)?.expect("it needs one");
    ///
    /// // In another file, which has shapes of its own.
    /// let other = Shapes::new();
    /// other.encode(&vec![1u8], &mut Vec::new())?;
    /// let number = other.add_shape(&shape)?;
    /// assert_eq!(number, 33);
    /// let moved = Shapes::renumbered(&bytes, number)?;
    /// assert_eq!(other.decode::<Option<u8>>(&moved)?, Some(7));
    /// assert_eq!(other.add_shape(&shape)?, number, "it is there by now");
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn shape_bytes(&self, number: u32) -> Result<Option<Vec<u8>>> {
        number.checked_sub(FIRST).map(|place| self.stored_at(place)).transpose()
    }

    /// The number of the shape with these bytes, which becomes one of these if it is none yet.
    ///
    /// # Errors
    ///
    /// [Damaged](crate::Error::is_damaged) if the bytes are no shape.
    pub fn add_shape(&self, shape: &[u8]) -> Result<u32> {
        let mut stored = self.stored.borrow_mut();
        let known =
            stored.iter().position(|stored| stored.shape.is_some() && stored.bytes == shape);
        let place = match known {
            Some(place) => place,
            None => {
                let read = Shape::from_bytes(shape)
                    .ok_or_else(|| Error::damaged("these bytes are no shape"))?;
                stored.push(Stored { shape: Some(Rc::new(read)), bytes: shape.to_vec() });
                stored.len() - 1
            }
        };
        u32::try_from(place)
            .ok()
            .and_then(|place| place.checked_add(FIRST))
            .ok_or_else(|| Error::damaged("a file has fewer than 2^32 shapes"))
    }

    /// The same value behind another number.
    ///
    /// # Errors
    ///
    /// [Damaged](crate::Error::is_damaged) if the bytes are no value.
    pub fn renumbered(bytes: &[u8], number: u32) -> Result<Vec<u8>> {
        number_of(bytes)?;
        let (mut body, mut moved) = (bytes, Vec::with_capacity(bytes.len() + 1));
        let _ = varint::take(&mut body);
        varint::put(&mut moved, number.into());
        moved.extend_from_slice(body);
        Ok(moved)
    }
}
