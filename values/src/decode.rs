use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use crate::compare::{Comparison, compare};
use crate::error::{Error, Result};
use crate::kind::{FIRST, Id, Kind};
use crate::read::{Reader, Way, damaged};
use crate::shape::{Node, Shape};
use crate::shapes::{Shapes, Stored};
use crate::unread::Unread;
use crate::varint;
use crate::view::{Sight, View, view};

impl Shapes {
    /// Reads a value: by place where its type is as it was, or else by name.
    ///
    /// # Errors
    ///
    /// [Undecodable](Error::is_undecodable) if the recorded type cannot be read as `T`, with both
    /// sides; [damaged](Error::is_damaged) if the bytes are not what was written.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&(7u8, "tea".to_string()), &mut bytes)?;
    /// assert_eq!(shapes.decode::<(u64, Option<String>)>(&bytes)?, (7, Some("tea".to_string())));
    /// assert_eq!(
    ///     shapes.decode::<(u8,)>(&bytes).unwrap_err().to_string(),
    ///     "1 more elements were recorded than are asked for; it was recorded as (u8, String)"
    /// );
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        let (shape, root, body) = self.find(bytes)?;
        let mut reader = Reader::new(body, &shape.nodes, root, Way::ByPlace);
        let read = T::deserialize(&mut reader);
        // Handed on as it is: it may be large.
        if read.is_ok() && reader.end().is_ok() {
            return read;
        }
        drop(read);
        read_by_name(&shape.nodes, root, body, Way::ByName)
            .map_err(|error| explain(error, &shape, root))
    }

    /// Reads a value, and tells which of the recorded fields nobody asked for: `Price.tax`, once
    /// each, in the order of their names. What serde buffers (`flatten`, `untagged`, `tag`) asks for
    /// all of them.
    ///
    /// # Errors
    ///
    /// As [`decode`](Shapes::decode).
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Price { net: u64, tax: u64 }
    ///
    /// #[derive(Deserialize)]
    /// struct Net { net: u64 }
    ///
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&vec![Price { net: 100, tax: 19 }], &mut bytes)?;
    /// let (prices, unread) = shapes.decode_and_unread::<Vec<Net>>(&bytes)?;
    /// assert_eq!((prices[0].net, unread), (100, vec!["Price.tax".to_string()]));
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn decode_and_unread<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<(T, Vec<String>)> {
        let (shape, root, body) = self.find(bytes)?;
        let unread = Unread::default();
        let value = read_by_name(&shape.nodes, root, body, Way::Noting(&unread))
            .map_err(|error| explain(error, &shape, root))?;
        Ok((value, unread.into_fields()))
    }

    /// The value without its type.
    ///
    /// # Errors
    ///
    /// [Damaged](Error::is_damaged) if the bytes are not what was written.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&vec![Some(1u8), None], &mut bytes)?;
    /// assert_eq!(shapes.view(&bytes)?.to_string(), "[Some(1), None]");
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn view(&self, bytes: &[u8]) -> Result<View> {
        Ok(self.view_within(bytes, usize::MAX)?.0)
    }

    /// The value without its type, as far as its first `limit` bytes go, and whether that is all of it. What
    /// is left out is marked: [`View::More`], or "…" behind a text.
    ///
    /// Bytes behind those are not looked at, so that damage there is not seen. Secrets are left out in any
    /// case: see [`Secret`](crate::Secret).
    ///
    /// # Errors
    ///
    /// As with [`view`](Shapes::view).
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&("a long text".to_string(), 7u8), &mut bytes)?;
    /// let (view, is_whole) = shapes.view_within(&bytes, 7)?;
    /// assert_eq!((view.to_string().as_str(), is_whole), (r#"("a long…", …)"#, false));
    /// assert!(shapes.view_within(&bytes, 100)?.1);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn view_within(&self, bytes: &[u8], limit: usize) -> Result<(View, bool)> {
        let (shape, root, body) = self.find(bytes)?;
        let mut reader = Reader::new(body, &shape.nodes, root, Way::ByName);
        let sight = Sight::within(limit, &reader);
        let view = view(&mut reader, &sight)?;
        if sight.is_whole() {
            reader.end()?;
        }
        Ok((view, sight.is_whole()))
    }

    /// All of a value, to be compared: secrets, too.
    fn view_all(&self, bytes: &[u8]) -> Result<View> {
        let (shape, root, body) = self.find(bytes)?;
        let mut reader = Reader::new(body, &shape.nodes, root, Way::ByName);
        let view = view(&mut reader, &Sight::ALL())?;
        reader.end()?;
        Ok(view)
    }

    /// The type that stands behind a number, as it was recorded.
    ///
    /// # Errors
    ///
    /// [Damaged](Error::is_damaged) if there is no such shape, or it is damaged.
    ///
    /// ```
    /// use dacapo_values::{Shapes, number_of};
    ///
    /// let shapes = Shapes::new();
    /// let mut bytes = Vec::new();
    /// shapes.encode(&Ok::<u8, String>(1), &mut bytes)?;
    /// assert_eq!(shapes.describe(number_of(&bytes)?)?, "enum Result { Ok(u8) }");
    /// assert_eq!(shapes.describe(12)?, "u64");
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn describe(&self, number: u32) -> Result<String> {
        let (shape, root) = self.shape(number)?;
        Ok(describe(&shape, root))
    }

    /// Compares two values by what they hold, whatever shapes they were written with: maps and
    /// structs by their keys, numbers whatever their width.
    ///
    /// # Errors
    ///
    /// [Damaged](Error::is_damaged) if the bytes are not what was written.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use dacapo_values::{Comparison, Shapes};
    ///
    /// let shapes = Shapes::new();
    /// let mut encoded = || {
    ///     let map: HashMap<u64, bool> = (0..20).map(|n| (n, n == 7)).collect();
    ///     let mut bytes = Vec::new();
    ///     shapes.encode(&map, &mut bytes).map(|()| bytes)
    /// };
    /// let (one, other) = (encoded()?, encoded()?);
    /// assert_ne!(one, other);
    /// assert_eq!(shapes.compare(&one, &other)?, Comparison::Same);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn compare(&self, one: &[u8], other: &[u8]) -> Result<Comparison> {
        Ok(compare(&self.view_all(one)?, &self.view_all(other)?))
    }

    /// What a number leads to, and where the value begins in it.
    #[inline(always)]
    fn shape(&self, number: u32) -> Result<(Rc<Shape>, Id)> {
        let Some(place) = number.checked_sub(FIRST) else {
            let is_kind = |kind: Kind| kind.is_leaf() && kind != Kind::Unknown;
            return match Kind::of(number).filter(|kind| is_kind(*kind)) {
                Some(_) => Ok((self.none.clone(), number)),
                None => Err(damaged()),
            };
        };
        match self.stored.borrow().get(place as usize) {
            Some(Stored { shape: Some(shape), .. }) => Ok((shape.clone(), shape.root)),
            stored => Err(no_shape(place, stored)),
        }
    }

    /// The bytes of the shape at a place.
    pub(crate) fn stored_at(&self, place: u32) -> Result<Vec<u8>> {
        match self.stored.borrow().get(place as usize) {
            Some(Stored { shape: Some(_), bytes }) => Ok(bytes.to_vec()),
            stored => Err(no_shape(place, stored)),
        }
    }

    /// The shape of a value, where the value begins in it, and its bytes.
    #[inline(always)]
    pub(crate) fn find<'a>(&self, mut bytes: &'a [u8]) -> Result<(Rc<Shape>, Id, &'a [u8])> {
        let number = take_number(&mut bytes)?;
        let (shape, root) = self.shape(number)?;
        Ok((shape, root, bytes))
    }
}

/// The number of the shape that a value was written with, for [`Shapes::describe`]: below 32 that
/// of a kind, and else 32 more than the place of the shape in [`Shapes::stored`].
///
/// # Errors
///
/// [Damaged](Error::is_damaged) if the bytes begin with no number.
///
/// ```
/// use dacapo_values::{Shapes, number_of};
///
/// let mut bytes = Vec::new();
/// Shapes::new().encode(&(1u8, 2u8), &mut bytes)?;
/// assert_eq!(number_of(&bytes)?, 32);
/// # Ok::<(), dacapo_values::Error>(())
/// ```
pub fn number_of(mut bytes: &[u8]) -> Result<u32> {
    take_number(&mut bytes)
}

#[inline(always)]
fn take_number(bytes: &mut &[u8]) -> Result<u32> {
    let number = varint::take(bytes).and_then(|number| number.try_into().ok());
    number.ok_or_else(damaged)
}

/// Reads all of `body`. The error does not say yet how it was recorded.
#[cold]
pub(crate) fn read_by_name<T: DeserializeOwned>(
    nodes: &[Node],
    root: Id,
    body: &[u8],
    way: Way<'_>,
) -> Result<T> {
    let mut reader = Reader::new(body, nodes, root, way);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The type at the root of `shape`, or one whose number says all.
pub(crate) fn describe(shape: &Shape, root: Id) -> String {
    if root < FIRST { Shape::new(root).to_string() } else { shape.to_string() }
}

#[cold]
fn explain(error: Error, shape: &Shape, root: Id) -> Error {
    if error.is_damaged() {
        return error;
    }
    Error::undecodable(format_args!("{error}; it was recorded as {}", describe(shape, root)))
}

#[cold]
fn no_shape(place: u32, stored: Option<&Stored>) -> Error {
    match stored {
        Some(_) => Error::damaged(format_args!("shape {place} of the file is damaged")),
        None => Error::damaged(format_args!("the file holds no shape {place}")),
    }
}
