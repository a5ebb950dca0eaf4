//! Values to bytes and back: postcard, with nothing left over.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::Bytes;

/// What can be an input, an output or an outcome: anything that serde can write and read back.
///
/// Implemented for every such type; there is nothing to write. The format is
/// [postcard](https://postcard.jamesmunns.com), which is not self-describing: a type whose fields
/// changed reads old bytes wrongly or not at all, and `#[serde(untagged)]`, `#[serde(flatten)]`
/// and `skip_serializing_if` do not work. Give a changed type a new step or workflow name.
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

/// Encodes `value`, or says why it cannot be written.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes<'static>, String> {
    let mut bytes = Bytes::EMPTY;
    let written = bytes.write(|writer| postcard::serialize_with_flavor(value, writer));
    written.map(|()| bytes).map_err(|error| error.to_string())
}

/// Appends the encoding of `value`, which is a type of ours and always encodes.
pub(crate) fn append<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    let buffer = core::mem::take(bytes);
    *bytes = postcard::to_extend(value, buffer).expect("records and notes are plain data");
}

/// Decodes a value from all of `bytes`; bytes left over are an error.
pub(crate) fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            Err(alloc::format!("{} of {} bytes are left over", rest.len(), bytes.len()))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_left_over_are_an_error() {
        let bytes = encode(&(7u32, 9u32)).expect("plain data");
        let bytes = bytes.as_slice();
        assert_eq!(decode::<(u32, u32)>(bytes), Ok((7, 9)));
        assert_eq!(decode::<u32>(bytes), Err("1 of 2 bytes are left over".into()));
        assert!(decode::<(u32, u32, u32)>(bytes).is_err());
    }
}
