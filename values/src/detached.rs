//! Values that are read elsewhere.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use crate::decode::number_of;
use crate::error::Result;
use crate::kind::FIRST;
use crate::shapes::Shapes;
use crate::varint;
use crate::view::View;

/// A value with its shape: it is `Send`, and is read without the [`Shapes`] that it was written with.
///
/// ```
/// use dacapo_values::Shapes;
///
/// let shapes = Shapes::new();
/// let mut bytes = Vec::new();
/// shapes.encode(&Some(7u8), &mut bytes)?;
/// let detached = shapes.detach(&bytes)?;
/// let read = std::thread::spawn(move || detached.decode::<Option<u64>>());
/// assert_eq!(read.join().unwrap()?, Some(7));
/// # Ok::<(), dacapo_values::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Detached {
    /// Nothing if the number says all.
    shape: Option<Vec<u8>>,
    /// Under the number 0 if there is a shape.
    bytes: Vec<u8>,
}

impl Shapes {
    /// The value, to be read elsewhere.
    ///
    /// # Errors
    ///
    /// [Damaged](crate::Error::is_damaged) if there is no such shape, or it is damaged.
    pub fn detach(&self, bytes: &[u8]) -> Result<Detached> {
        let number = number_of(bytes)?;
        let Some(place) = number.checked_sub(FIRST) else {
            return Ok(Detached { shape: None, bytes: bytes.to_vec() });
        };
        let shape = self.stored_at(place)?;
        let (mut body, mut alone) = (bytes, Vec::with_capacity(bytes.len()));
        let _ = varint::take(&mut body);
        varint::put(&mut alone, FIRST.into());
        alone.extend_from_slice(body);
        Ok(Detached { shape: Some(shape), bytes: alone })
    }
}

impl Detached {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// As [`Shapes::decode`].
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        Shapes::load(self.shape.as_deref()).decode(&self.bytes)
    }

    /// It without its type, and whether that is all of it: see [`Shapes::view_within`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&Some(7u8), &mut bytes)?;
    /// let (view, is_whole) = shapes.detach(&bytes)?.view_within(1_000)?;
    /// assert_eq!((view.to_string().as_str(), is_whole), ("Some(7)", true));
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn view_within(&self, limit: usize) -> Result<(View, bool)> {
        Shapes::load(self.shape.as_deref()).view_within(&self.bytes, limit)
    }

    /// How many bytes it takes, with the number of its shape.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&Some(7u8), &mut bytes)?;
    /// assert_eq!(shapes.detach(&bytes)?.size(), 3);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}
