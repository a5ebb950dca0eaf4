use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use crate::limits::MOST_BYTES;
use crate::shape::Shape;
use crate::types::Types;

/// The shapes of a file, each under its number, and the types of this process that have them.
///
/// See the [documentation of the crate](crate) for what a shape is. Nothing is borrowed while a
/// value's `Serialize` or `Deserialize` runs, so that one may use the same shapes.
///
/// ```
/// use dacapo_values::Shapes;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Price {
///     net: u64,
///     tax: u64,
/// }
///
/// let shapes = Shapes::new();
/// let mut bytes = Vec::new();
/// shapes.encode(&Price { net: 100, tax: 19 }, &mut bytes)?;
/// assert_eq!(bytes, [32, 100, 19]);
///
/// // Another process, in which the type has become another one.
/// #[derive(Serialize, Deserialize)]
/// struct Cost {
///     #[serde(default)]
///     currency: String,
///     tax: u8,
///     #[serde(alias = "net")]
///     amount: u64,
/// }
///
/// let stored = shapes.stored(0);
/// let shapes = Shapes::load(stored.iter().map(Vec::as_slice));
/// let cost: Cost = shapes.decode(&bytes)?;
/// assert_eq!((cost.amount, cost.tax, &*cost.currency), (100, 19, ""));
/// # Ok::<(), dacapo_values::Error>(())
/// ```
pub struct Shapes {
    pub(crate) stored: RefCell<Vec<Stored>>,
    pub(crate) types: RefCell<Types>,
    pub(crate) most_bytes: usize,
    pub(crate) reads_back: ReadsBack,
    /// That of values whose kind says all.
    pub(crate) none: Rc<Shape>,
}

/// A shape under its number, and the bytes that it is kept in.
pub(crate) struct Stored {
    /// Nothing if the bytes are none that were stored: the number is taken all the same.
    pub(crate) shape: Option<Rc<Shape>>,
    pub(crate) bytes: Vec<u8>,
}

/// Which values are read back when they are written, beside the first ones of their shapes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ReadsBack {
    Dynamic,
    All,
}

impl Shapes {
    /// No shape, as in a new file.
    ///
    /// ```
    /// assert_eq!(dacapo_values::Shapes::new().len(), 0);
    /// ```
    pub fn new() -> Shapes {
        Shapes {
            stored: RefCell::default(),
            types: RefCell::new(Types::new()),
            most_bytes: MOST_BYTES,
            reads_back: ReadsBack::Dynamic,
            none: Rc::new(Shape::new(0)),
        }
    }

    /// The shapes of a file, in the order of their numbers, as [`stored`](Shapes::stored) gave
    /// them. Types take them up again, so that a process that does what the last one did adds none.
    ///
    /// One that is damaged or missing is handed over as no bytes. It keeps its number, which no new
    /// shape gets; its values are [damaged](crate::Error::is_damaged), and all others are read. A bit
    /// that has flipped may make another shape of it, in which values are read wrongly: whoever keeps
    /// them has a checksum over each, and its number.
    ///
    /// ```
    /// use dacapo_values::Shapes;
    ///
    /// let shapes = Shapes::new();
    /// shapes.encode(&vec![1u8], &mut Vec::new())?;
    /// let [list] = &*shapes.stored(0) else { panic!("there is one") };
    /// assert_eq!(Shapes::load([&list[..]]).describe(32)?, "Vec<u8>");
    ///
    /// let shapes = Shapes::load([&[], &list[..]]);
    /// let error = shapes.decode::<Vec<u8>>(&[32, 1, 7]).unwrap_err();
    /// assert_eq!(error.to_string(), "shape 0 of the file is damaged");
    /// assert_eq!(shapes.decode::<Vec<u8>>(&[33, 1, 7])?, [7]);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn load<'a>(stored: impl IntoIterator<Item = &'a [u8]>) -> Shapes {
        let load = |bytes: &[u8]| Stored {
            shape: Shape::from_bytes(bytes).map(Rc::new),
            bytes: bytes.to_vec(),
        };
        let stored = RefCell::new(stored.into_iter().map(load).collect());
        Shapes { stored, ..Shapes::new() }
    }

    /// Refuses values of more than `bytes` bytes. Without it they may take 64 MiB.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new().max_bytes(4);
    /// let error = shapes.encode(&"hello".to_string(), &mut Vec::new()).unwrap_err();
    /// assert_eq!(error.to_string(), "it takes 6 bytes, and at most 4 can be recorded");
    /// ```
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Shapes {
        Shapes { most_bytes: bytes, ..self }
    }

    /// Reads back every value after it is written, as a simulation does. Without it that is done
    /// with the first value of each shape, and with all those of shapes whose values differ in what
    /// they hold (fields that may be missing, or anything).
    ///
    /// ```
    /// use serde::{Deserialize, Deserializer, Serialize, de};
    ///
    /// #[derive(Serialize)]
    /// struct Even(u64);
    ///
    /// impl<'de> Deserialize<'de> for Even {
    ///     fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Even, D::Error> {
    ///         let number = u64::deserialize(deserializer)?;
    ///         let is_even = number.is_multiple_of(2);
    ///         is_even.then_some(Even(number)).ok_or(de::Error::custom("it is odd"))
    ///     }
    /// }
    ///
    /// let shapes = dacapo_values::Shapes::new().read_back_all();
    /// shapes.encode(&Even(2), &mut Vec::new())?;
    /// assert!(shapes.encode(&Even(3), &mut Vec::new()).is_err());
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    #[must_use]
    pub fn read_back_all(self) -> Shapes {
        Shapes { reads_back: ReadsBack::All, ..self }
    }

    /// How many shapes there are.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// shapes.encode(&(1u8, 2u8), &mut Vec::new())?;
    /// shapes.encode(&7u8, &mut Vec::new())?;
    /// assert_eq!(shapes.len(), 1, "a number needs none");
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.stored.borrow().len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// assert!(dacapo_values::Shapes::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shapes from the place `from` on, to be committed no later than the values that have
    /// them. A shape gets its number when the first value of it is encoded.
    ///
    /// ```
    /// let shapes = dacapo_values::Shapes::new();
    /// shapes.encode(&(1u8, 2u8), &mut Vec::new())?;
    /// let committed = shapes.len();
    /// shapes.encode(&Some(1u8), &mut Vec::new())?;
    /// assert_eq!(shapes.stored(committed).len(), 1);
    /// # Ok::<(), dacapo_values::Error>(())
    /// ```
    pub fn stored(&self, from: usize) -> Vec<Vec<u8>> {
        self.stored.borrow().iter().skip(from).map(|stored| stored.bytes.to_vec()).collect()
    }
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes::new()
    }
}

impl fmt::Debug for Shapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shapes({})", self.len())
    }
}
