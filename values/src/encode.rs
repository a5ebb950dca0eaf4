use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::TypeId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::decode::{describe, read_by_name};
use crate::error::{Error, Result};
use crate::kind::{ANY, FIRST, UNKNOWN};
use crate::limits::MOST_SHAPES;
use crate::read::{Reader, Way};
use crate::shape::Shape;
use crate::shapes::{ReadsBack, Shapes, Stored};
use crate::types::Known;
use crate::varint;
use crate::write::{Writer, Written};

impl Shapes {
    /// Appends the bytes of `value` to `out`. If the value brings something new, there is a shape
    /// more in [`stored`](Shapes::stored).
    ///
    /// # Errors
    ///
    /// [Refused](Error::is_refused) if it cannot be recorded: its `Serialize` fails, it is too large
    /// or too deep, or it was read back and was not there. Nothing is appended then, and no shape
    /// remembers the value. A panic of the value's `Serialize` leaves `out` with some bytes more.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Bad {
    ///     #[serde(skip_serializing_if = "Vec::is_empty")]
    ///     list: Vec<u8>,
    ///     x: u8,
    /// }
    ///
    /// let shapes = dacapo_values::Shapes::new();
    /// let error = shapes.encode(&Bad { list: vec![], x: 1 }, &mut Vec::new()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "it can be written and not read back: missing field `list`; it would be recorded as \
    ///      Bad { x: u8 }"
    /// );
    /// assert!(shapes.is_empty());
    /// ```
    pub fn encode<T: Serialize + DeserializeOwned + 'static>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        let written = self.encode_known(value, out);
        if let Ok(true) = written {
            return Ok(());
        }
        out.truncate(start);
        if written? { Ok(()) } else { self.encode_new(value, out) }
    }

    /// Whether the shape that the type has covers the value.
    #[inline(always)]
    fn encode_known<T: Serialize + DeserializeOwned + 'static>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let (shape, number, is_dynamic) = match self.types.borrow().get(TypeId::of::<T>()) {
            Some(known) => (known.shape.clone(), known.number, known.is_dynamic),
            None => return Ok(false),
        };
        varint::put(out, number.into());
        let body = out.len();
        let mut writer = Writer::new(out, shape, self.most_bytes);
        let result = value.serialize(&mut writer);
        let Written::Covered(shape) = writer.finish(result)? else { return Ok(false) };
        if is_dynamic || self.reads_back == ReadsBack::All {
            check::<T>(&shape, &out[body..])?;
        }
        Ok(true)
    }

    /// A value that its type's shape does not cover.
    #[cold]
    #[inline(never)]
    fn encode_new<T: Serialize + DeserializeOwned + 'static>(
        &self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let id = TypeId::of::<T>();
        let known = self.types.borrow().get(id).cloned();
        let shapes = known.as_ref().map_or(0, |known| known.shapes) + 1;
        let before = known.map_or_else(|| Rc::new(Shape::new(UNKNOWN)), |known| known.shape);
        let mut body = Vec::new();
        let mut shape = self.cover(value, before.clone(), &mut body)?;
        if shapes > MOST_SHAPES {
            shape = self.cover(value, Rc::new(Shape::new(ANY)), &mut body)?;
        } else if before.is_vague() && !shape.is_vague() {
            shape = self.take_up(value, shape, &mut body)?;
        }
        // Before it has a number: a value that is refused leaves nothing.
        check::<T>(&shape, &body)?;
        let (shape, number) = self.number(shape);
        let is_dynamic = shape.is_dynamic();
        self.types.borrow_mut().put(id, Known { shape, number, shapes, is_dynamic });
        varint::put(out, number.into());
        out.extend_from_slice(&body);
        Ok(())
    }

    /// Has the shape grow until it covers the value, whose bytes are then in `body`.
    fn cover<T: Serialize>(
        &self,
        value: &T,
        mut shape: Rc<Shape>,
        body: &mut Vec<u8>,
    ) -> Result<Rc<Shape>> {
        // Few values need more than one time, but one may be another each time it is written.
        for _ in 0..MOST_SHAPES {
            match self.write(value, shape, body)? {
                Written::Covered(shape) => return Ok(shape),
                Written::Grown(grown) => shape = grown,
            }
        }
        match self.write(value, Rc::new(Shape::new(ANY)), body)? {
            Written::Covered(shape) | Written::Grown(shape) => Ok(shape),
        }
    }

    fn write<T: Serialize>(
        &self,
        value: &T,
        shape: Rc<Shape>,
        body: &mut Vec<u8>,
    ) -> Result<Written> {
        body.clear();
        let mut writer = Writer::new(body, shape, self.most_bytes);
        let result = value.serialize(&mut writer);
        writer.finish(result)
    }

    /// The newest stored shape that may be of the same type, and covers the value: one that an
    /// earlier process left, and that knows more. Without one it stays at `shape`.
    fn take_up<T: Serialize>(
        &self,
        value: &T,
        shape: Rc<Shape>,
        body: &mut Vec<u8>,
    ) -> Result<Rc<Shape>> {
        let like = |stored: &Stored| stored.shape.clone().filter(|stored| stored.is_like(&shape));
        let stored: Vec<_> = self.stored.borrow().iter().rev().filter_map(like).collect();
        let mut other = Vec::new();
        for stored in stored {
            if let Written::Covered(stored) = self.write(value, stored, &mut other)? {
                *body = other;
                return Ok(stored);
            }
        }
        Ok(shape)
    }

    /// The shape as it is shared, and its number: that of its kind if this says all.
    fn number(&self, shape: Rc<Shape>) -> (Rc<Shape>, u32) {
        if shape.root < FIRST {
            return (Rc::new(Shape::new(shape.root)), shape.root);
        }
        let bytes = shape.to_bytes();
        let mut stored = self.stored.borrow_mut();
        let known = stored.iter().enumerate().find(|(_, stored)| stored.bytes == bytes);
        if let Some((place, Stored { shape: Some(shape), .. })) = known {
            return (shape.clone(), FIRST + place as u32);
        }
        stored.push(Stored { shape: Some(shape.clone()), bytes });
        (shape, FIRST + stored.len() as u32 - 1)
    }
}

/// Reads back what was just written.
fn check<T: DeserializeOwned>(shape: &Shape, body: &[u8]) -> Result<()> {
    let mut reader = Reader::new(body, &shape.nodes, shape.root, Way::ByPlace);
    if T::deserialize(&mut reader).is_ok() && reader.end().is_ok() {
        return Ok(());
    }
    read_by_name::<T>(&shape.nodes, shape.root, body, Way::ByName).map(drop).map_err(|error| {
        Error::refused(format_args!(
            "it can be written and not read back: {error}; it would be recorded as {}",
            describe(shape, shape.root)
        ))
    })
}
