//! Our own types to bytes and back: records, notes and faults. They are postcard, with nothing left
//! over. What users keep goes through [`values`](crate::values), whose bytes stand in records.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

/// Appends the encoding of a type of ours, which always encodes.
pub(crate) fn append<T: Serialize + ?Sized>(own: &T, bytes: &mut Vec<u8>) {
    let buffer = core::mem::take(bytes);
    *bytes = postcard::to_extend(own, buffer).expect("records, notes and faults are plain data");
}

/// The same in bytes of its own.
pub(crate) fn encode<T: Serialize + ?Sized>(own: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(own, &mut bytes);
    bytes
}

/// Decodes a type of ours from all of `bytes`; bytes left over are an error.
pub(crate) fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    match postcard::take_from_bytes(bytes) {
        Ok((own, [])) => Ok(own),
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
        let bytes = encode(&(7u32, 9u32));
        assert_eq!(decode::<(u32, u32)>(&bytes), Ok((7, 9)));
        assert_eq!(decode::<u32>(&bytes), Err("1 of 2 bytes are left over".into()));
        assert!(decode::<(u32, u32, u32)>(&bytes).is_err());
    }
}
