//! What all tests use.

use std::fmt::Debug;

use dacapo_values::{Error, Leaf, Shapes, View, number_of};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Types whose bytes are looked at.
pub(crate) trait Value: Serialize + DeserializeOwned + PartialEq + Debug + 'static {}

impl<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static> Value for T {}

pub(crate) fn encode<T: Serialize + DeserializeOwned + 'static>(
    shapes: &Shapes,
    value: &T,
) -> Result<Vec<u8>, Error> {
    let mut bytes = b"before".to_vec();
    let result = shapes.encode(value, &mut bytes);
    let own = bytes.split_off(6);
    assert_eq!(bytes, b"before");
    result.map(|()| own).inspect_err(|error| assert!(error.is_refused(), "{error:?}"))
}

/// Why a value is refused.
pub(crate) fn refused<T: Serialize + DeserializeOwned + 'static>(
    shapes: &Shapes,
    value: &T,
) -> String {
    encode(shapes, value).expect_err("it is refused").to_string()
}

/// The same shapes in another process.
pub(crate) fn restarted(shapes: &Shapes) -> Shapes {
    let stored = shapes.stored(0);
    let loaded = Shapes::load(stored.iter().map(Vec::as_slice));
    assert_eq!(loaded.stored(0), stored);
    loaded
}

/// How its type was recorded.
pub(crate) fn described(shapes: &Shapes, bytes: &[u8]) -> String {
    shapes.describe(number_of(bytes).expect("a number")).expect("it is there")
}

/// Writes a value, and reads it in this process and in another one. Returns its bytes.
#[track_caller]
pub(crate) fn round<T: Value>(shapes: &Shapes, value: T) -> Vec<u8> {
    let bytes = encode(shapes, &value).unwrap_or_else(|why| panic!("{value:?}: {why}"));
    for shapes in [shapes, &restarted(shapes)] {
        assert_eq!(shapes.decode::<T>(&bytes).as_ref(), Ok(&value));
        let (read, unread) = shapes.decode_and_unread::<T>(&bytes).expect("by name");
        assert_eq!((&read, unread), (&value, vec![]));
        let view = shapes.view(&bytes).unwrap_or_else(|why| panic!("{value:?}: {why}"));
        let mut seen = Vec::new();
        shapes.each_leaf(&bytes, &mut |leaf| seen.push(format!("{leaf:?}"))).expect("as above");
        assert!(view.has_secret() || leaves(&view) == seen, "{view}: {seen:?}");
    }
    bytes
}

/// The leaves of a view.
fn leaves(view: &View) -> Vec<String> {
    let leaf = |leaf: Leaf<'_>| vec![format!("{leaf:?}")];
    let named = |name: &str, view| [leaf(Leaf::Text(name)), leaves(view)].concat();
    match view {
        View::Integer(value) => leaf(Leaf::Integer(*value)),
        View::Large(value) => leaf(Leaf::Large(*value)),
        View::F32(value) => leaf(Leaf::F32(*value)),
        View::F64(value) => leaf(Leaf::F64(*value)),
        View::Char(value) => leaf(Leaf::Text(value.encode_utf8(&mut [0; 4]))),
        View::Text(value) => leaf(Leaf::Text(value)),
        View::Bytes(value) => leaf(Leaf::Bytes(value)),
        View::Some(held) => leaves(held),
        View::List(parts) | View::Tuple(parts) => parts.iter().flat_map(leaves).collect(),
        View::Map(entries) => {
            entries.iter().flat_map(|(key, value)| [leaves(key), leaves(value)].concat()).collect()
        }
        View::Struct(_, fields) => {
            fields.iter().flat_map(|(name, value)| named(name, value)).collect()
        }
        View::Variant(name, held) => named(name, held),
        _ => Vec::new(),
    }
}

/// The same, and how it is shown without its type.
#[track_caller]
pub(crate) fn shown<T: Value>(value: T) -> String {
    let shapes = Shapes::new();
    let bytes = round(&shapes, value);
    shapes.view(&bytes).expect("it is shown").to_string()
}
