//! Values that nobody is shown.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// The name of its struct and of the only field in it. No struct of Rust has such a name.
pub(crate) const NAME: &str = "(secret)";

/// Whether a recorded struct is one; in one place there may have been others, too.
pub(crate) fn is_one(name: &str) -> bool {
    name.split('|').any(|name| name == NAME)
}

/// A value that is recorded whole, and shown by nothing: not by [`Debug`](fmt::Debug), nor by a
/// [`View`](crate::View), also where its type is not known.
///
/// It is not encrypted: whoever can read the file can read it.
///
/// ```
/// use dacapo_values::{Secret, Shapes};
///
/// let shapes = Shapes::new();
/// let mut bytes = Vec::new();
/// let card = ("ada".to_string(), Secret::new("4111 1111".to_string()));
/// shapes.encode(&card, &mut bytes)?;
/// assert_eq!(shapes.view(&bytes)?.to_string(), r#"("ada", (secret))"#);
/// assert_eq!(format!("{card:?}"), r#"("ada", (secret))"#);
///
/// let (_, card) = shapes.decode::<(String, Secret<String>)>(&bytes)?;
/// assert_eq!(card.reveal(), "4111 1111");
/// # Ok::<(), dacapo_values::Error>(())
/// ```
///
/// In formats of serde it is a struct with one field, also in JSON: `{"(secret)":"4111 1111"}`.
///
/// ```
/// use dacapo_values::Secret;
///
/// let card: Secret<u64> = serde_json::from_str(r#"{"(secret)":4111}"#)?;
/// assert_eq!(card.reveal(), &4111);
/// let error = serde_json::from_str::<Secret<u64>>("4111").unwrap_err().to_string();
/// assert!(error.contains(r#"expected a secret, as in {"(secret)": VALUE}"#), "{error}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides a value.
    ///
    /// ```
    /// assert_eq!(format!("{:?}", dacapo_values::Secret::new(7)), "(secret)");
    /// ```
    pub const fn new(value: T) -> Secret<T> {
        Secret(value)
    }

    /// The value.
    ///
    /// ```
    /// assert_eq!(dacapo_values::Secret::new(7).reveal(), &7);
    /// ```
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, no longer hidden.
    ///
    /// ```
    /// assert_eq!(dacapo_values::Secret::new(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

impl<T: Serialize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hidden = serializer.serialize_struct(NAME, 1)?;
        hidden.serialize_field(NAME, &self.0)?;
        hidden.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Secret<T>, D::Error> {
        deserializer.deserialize_struct(NAME, &[NAME], Hidden(PhantomData))
    }
}

struct Hidden<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Hidden<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret, as in {{{NAME:?}: VALUE}}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Secret<T>, A::Error> {
        let part = parts.next_element()?;
        part.map(Secret).ok_or_else(|| de::Error::missing_field(NAME))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Secret<T>, A::Error> {
        let mut held = None;
        while let Some(key) = fields.next_key::<alloc::string::String>()? {
            if key == NAME {
                held = Some(fields.next_value()?);
            } else {
                fields.next_value::<de::IgnoredAny>()?;
            }
        }
        held.map(Secret).ok_or_else(|| de::Error::missing_field(NAME))
    }
}
