//! The values of users, to bytes and back: inputs, outcomes, outputs, messages, what is published.

#[cfg(feature = "view")]
use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
#[cfg(feature = "export")]
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use dacapo_store::Batch;
use dacapo_values::{Comparison, Detached, Error, Leaf, Shapes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::Bytes;

/// What can be an input, an output or an outcome: anything that serde can write and read back.
///
/// Implemented for every such type; there is nothing to write. A value takes about as many bytes as
/// in [postcard](https://postcard.jamesmunns.com), and is read by the names of its fields and
/// variants, as JSON is: later builds may add fields (with a `default`), remove them, reorder them,
/// or rename them (with an `alias`). All of serde's attributes work, and a value that could not be
/// read back is refused when it is to be recorded: see the
/// [guide](https://docs.rs/dacapo-values).
///
/// ```
/// fn durable<T: dacapo::Value>() -> bool {
///     true
/// }
/// assert!(durable::<Vec<(u64, String)>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be recorded in a history",
    note = "derive serde's `Serialize` and `Deserialize` for it; it must own all that it holds"
)]
pub trait Value: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Value for T {}

/// How the values of one executor are written and read: with the shapes of its file.
pub(crate) struct Values {
    shapes: Shapes,
    /// Room for the bytes of one value.
    buffer: RefCell<Vec<u8>>,
    /// So many shapes are in the store, or in the batch that is being written.
    stored: Cell<usize>,
    value_max: usize,
    /// Whether it is noted which recorded fields nobody asks for,
    notes_unread: Cell<bool>,
    /// and those that were.
    unread: RefCell<BTreeSet<String>>,
    /// As which type each value was decoded, while that is noted too.
    #[cfg(feature = "view")]
    shows: RefCell<Option<Shows>>,
}

/// Reads a recorded value as a type of this build, and writes it again.
pub(crate) type Anew = fn(&Values, &[u8]) -> Result<Bytes<'static>, Error>;

/// Reads JSON as a type of this build, and writes it as a value; or says what is wrong with it, and where.
#[cfg(feature = "export")]
pub(crate) type OfJson = fn(&Values, &str) -> Result<Bytes<'static>, String>;

/// Shows a value as a type of this build.
#[cfg(feature = "view")]
pub(crate) type Show =
    fn(&Detached, &mut dyn FnMut(&dyn erased_serde::Serialize)) -> Result<(), Error>;

/// How the values are shown that were decoded.
#[cfg(feature = "view")]
pub(crate) type Shows = BTreeMap<Detached, Show>;

/// A buffer that was needed for a large value is not kept.
const BUFFER_MAX: usize = 1 << 12;

impl Values {
    /// With the shapes of a store. Runs that need one that is damaged are parked when they do.
    pub(crate) fn new(
        stored: &[Option<Vec<u8>>],
        value_max: usize,
        reads_back_all: bool,
    ) -> Rc<Self> {
        let shapes = stored.iter().map(|shape| shape.as_deref().unwrap_or_default());
        let shapes = Shapes::load(shapes).max_bytes(value_max);
        let shapes = if reads_back_all { shapes.read_back_all() } else { shapes };
        let (buffer, stored) = (RefCell::default(), Cell::new(stored.len()));
        let (notes_unread, unread) = (Cell::new(false), RefCell::default());
        Rc::new(Self {
            shapes,
            buffer,
            stored,
            value_max,
            notes_unread,
            unread,
            #[cfg(feature = "view")]
            shows: RefCell::default(),
        })
    }

    #[cfg(feature = "export")]
    pub(crate) fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// So many bytes a value may take.
    pub(crate) fn value_max(&self) -> usize {
        self.value_max
    }

    /// Encodes a value that is to be recorded. In a replay of code that hands it over it was, or was
    /// refused: whoever calls this lets the history decide then.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded.
    #[inline(always)]
    pub(crate) fn encode<T: Value>(&self, value: &T) -> Result<Bytes<'static>, Error> {
        let (mut own, mut nested);
        let buffer = match self.buffer.try_borrow_mut() {
            Ok(buffer) => {
                own = buffer;
                &mut *own
            }
            // The `Serialize` of another value has come back here.
            Err(_) => {
                nested = Vec::new();
                &mut nested
            }
        };
        buffer.clear();
        self.shapes.encode(value, buffer).map_err(advise)?;
        if buffer.len() > BUFFER_MAX {
            let mut large = core::mem::take(buffer);
            large.shrink_to_fit();
            return Ok(Bytes::from(large));
        }
        Ok(Bytes::taken_from(buffer))
    }

    /// # Errors
    ///
    /// If the value is of another type, or its bytes or its shape are damaged.
    #[inline]
    pub(crate) fn decode<T: Value>(&self, bytes: &[u8]) -> Result<T, Error> {
        match self.notes_unread.get() {
            false => self.shapes.decode(bytes),
            true => self.decode_noting(bytes),
        }
    }

    #[cold]
    fn decode_noting<T: Value>(&self, bytes: &[u8]) -> Result<T, Error> {
        #[cfg(feature = "view")]
        if let Some(shows) = &mut *self.shows.borrow_mut() {
            shows.insert(self.detach(bytes)?, Self::show::<T>);
        }
        let (value, unread) = self.shapes.decode_and_unread(bytes)?;
        self.unread.borrow_mut().extend(unread);
        Ok(value)
    }

    /// Which recorded fields nobody asks for in what is decoded meanwhile.
    pub(crate) fn unread_in<R>(&self, read: impl FnOnce() -> R) -> (R, Vec<String>) {
        self.notes_unread.set(true);
        let result = read();
        self.notes_unread.set(false);
        (result, self.unread.take().into_iter().collect())
    }

    /// See [`Show`].
    #[cfg(feature = "view")]
    fn show<T: Value>(
        value: &Detached,
        see: &mut dyn FnMut(&dyn erased_serde::Serialize),
    ) -> Result<(), Error> {
        see(&value.decode::<T>()?);
        Ok(())
    }

    /// How all is shown that is decoded meanwhile.
    #[cfg(feature = "view")]
    pub(crate) fn shows_in<R>(&self, read: impl FnOnce() -> R) -> (R, Shows) {
        self.shows.replace(Some(Shows::new()));
        let (result, _) = self.unread_in(read);
        (result, self.shows.take().expect("it was put there"))
    }

    /// Whether two values hold the same.
    ///
    /// # Errors
    ///
    /// If one of them is damaged.
    pub(crate) fn compare(&self, one: &[u8], other: &[u8]) -> Result<Comparison, Error> {
        if one == other { Ok(Comparison::Same) } else { self.shapes.compare(one, other) }
    }

    /// The same of a value that was recorded, and one of its type in this build: `anew` writes the first as
    /// this build would. So a field that was added with a default is no difference.
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn compare_over_builds(
        &self,
        was: &[u8],
        now: &[u8],
        anew: Anew,
    ) -> Result<Comparison, Error> {
        match self.compare(was, now)? {
            Comparison::Different => anew(self, was)
                .map_or(Ok(Comparison::Different), |was| self.compare(was.as_slice(), now)),
            same => Ok(same),
        }
    }

    /// See [`Anew`].
    pub(crate) fn anew<T: Value>(&self, bytes: &[u8]) -> Result<Bytes<'static>, Error> {
        self.encode(&self.decode::<T>(bytes)?)
    }

    /// See [`OfJson`].
    #[cfg(feature = "export")]
    pub(crate) fn of_json<T: Value>(&self, json: &str) -> Result<Bytes<'static>, String> {
        let value = serde_json::from_str::<T>(json).map_err(|why| why.to_string())?;
        self.encode(&value).map_err(|why| why.to_string())
    }

    /// A value that is read on another thread.
    ///
    /// # Errors
    ///
    /// If its shape is missing.
    pub(crate) fn detach(&self, bytes: &[u8]) -> Result<Detached, Error> {
        self.shapes.detach(bytes)
    }

    /// What a value consists of; see [`Shapes::each_leaf`].
    pub(crate) fn each_leaf(
        &self,
        bytes: &[u8],
        see: &mut dyn FnMut(Leaf<'_>),
    ) -> Result<(), Error> {
        self.shapes.each_leaf(bytes, see)
    }

    /// Puts the shapes that are new since the last time into a batch, of which some record may be the
    /// first to need them.
    #[inline]
    pub(crate) fn write_new(&self, batch: &mut Batch) {
        // An executor whose commit is refused has stopped: nothing is encoded after it.
        let stored = self.stored.replace(self.shapes.len());
        if stored < self.shapes.len() {
            self.write_from(stored, batch);
        }
    }

    #[cold]
    fn write_from(&self, stored: usize, batch: &mut Batch) {
        for (number, shape) in (stored as u32..).zip(self.shapes.stored(stored)) {
            batch.put_shape(number, &shape);
        }
    }
}

/// What to do about a value that cannot be recorded, where that is a setting.
#[cold]
fn advise(why: Error) -> Error {
    if why.is_too_large() { why.advise("see Builder::value_max") } else { why }
}

/// A value from another thread, on its way to an executor: it was encoded there, so that its type
/// need not be `Send`, and is encoded again with the shapes of the file.
pub(crate) struct FarValue {
    detached: Detached,
    encode: fn(&Values, &Detached) -> Result<Bytes<'static>, Error>,
}

impl FarValue {
    /// # Errors
    ///
    /// If it cannot be recorded by an executor whose values may take `value_max` bytes.
    pub(crate) fn new<T: Value>(value: &T, value_max: usize) -> Result<Self, Error> {
        let (shapes, mut bytes) = (Shapes::new().max_bytes(value_max), Vec::new());
        shapes.encode(value, &mut bytes).map_err(advise)?;
        let encode = |values: &Values, detached: &Detached| values.encode(&detached.decode::<T>()?);
        Ok(Self { detached: shapes.detach(&bytes)?, encode })
    }

    pub(crate) fn encode(&self, values: &Values) -> Result<Bytes<'static>, Error> {
        (self.encode)(values, &self.detached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_shapes_are_written_once() {
        let values = Values::new(&[], usize::MAX, false);
        let new = || {
            let mut batch = Batch::new();
            values.write_new(&mut batch);
            batch.shapes().map(|(number, _)| number).collect::<Vec<_>>()
        };
        values.encode(&7u8).expect("plain data");
        assert_eq!(new(), [0; 0], "a number needs none");
        values.encode(&(1u8, 2u8)).expect("plain data");
        values.encode(&Some(1u8)).expect("plain data");
        assert_eq!(new(), [0, 1]);
        values.encode(&(3u8, 4u8)).expect("plain data");
        assert_eq!(new(), [0; 0]);
    }

    #[test]
    fn few_and_many_bytes_are_read_back() {
        let values = Values::new(&[], usize::MAX, false);
        for length in (0..60).chain([5_000]) {
            let value = alloc::vec![7u8; length];
            let bytes = values.encode(&value).expect("plain data");
            assert_eq!(values.decode::<Vec<u8>>(bytes.as_slice()).expect("it is one"), value);
        }
    }

    #[cfg(feature = "export")]
    #[test]
    fn json_is_read_as_the_type_that_is_wanted() {
        use alloc::collections::BTreeMap;
        use alloc::string::ToString;

        #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
        enum How {
            Card,
            Cash { cents: u64 },
            Gift(String, Option<u8>),
        }
        #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
        struct Order {
            id: u32,
            hows: Vec<How>,
            pair: (i8, f64),
            note: Option<String>,
            #[serde(default)]
            more: bool,
            sign: char,
            by: BTreeMap<String, u128>,
        }
        let values = Values::new(&[], usize::MAX, false);
        let of = |json: &str| values.of_json::<Order>(json);
        let json = r#"{"note":null,"id":7,"hows":["Card",{"Cash":{"cents":3}},{"Gift":["a",null]}],
            "pair":[-1,2],"sign":"x","by":{"b":5}}"#;
        let bytes = of(json).expect("it is one");
        let order: Order = values.decode(bytes.as_slice()).expect("it is one");
        let hows = alloc::vec![How::Card, How::Cash { cents: 3 }, How::Gift("a".into(), None)];
        let by = BTreeMap::from([("b".to_string(), 5)]);
        let expected =
            Order { id: 7, hows, pair: (-1, 2.0), note: None, more: false, sign: 'x', by };
        assert_eq!(order, expected);
        let mut new = Vec::new();
        values.shapes.encode(&expected, &mut new).expect("plain data");
        assert_eq!(bytes.as_slice(), new, "as if it had been written by the code");
        let stored = values.shapes.len();
        for (json, says) in [
            ("{", "EOF"),
            (r#"{"id":7}"#, "missing field `hows`"),
            (r#"{"id":"seven"}"#, "invalid type: string \"seven\", expected u32"),
            ("[]", "Order"),
        ] {
            let refused = of(json).expect_err("it is none");
            assert!(refused.contains(says), "{json}: {refused}");
        }
        assert_eq!(values.shapes.len(), stored);
    }

    #[test]
    fn a_value_from_afar_has_the_numbers_of_the_file() {
        let values = Values::new(&[], 100, false);
        values.encode(&Some(1u8)).expect("plain data");
        let far =
            FarValue::new(&(7u8, alloc::string::String::from("tea")), 100).expect("plain data");
        let bytes = far.encode(&values).expect("plain data");
        assert_eq!(bytes.as_slice(), b"\x21\x07\x03tea");
        let away = values.detach(bytes.as_slice()).expect("it has a shape");
        assert_eq!(away.decode::<(u8, alloc::string::String)>().expect("it is one").0, 7);
        assert!(FarValue::new(&[7u8; 40].map(u64::from).to_vec(), 10).is_err());
    }
}
