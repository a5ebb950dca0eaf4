//! Keys of tables, as bytes that are in the order of the keys.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use sealed::{AsKeySealed, KeySealed};

/// What can be a key of a [`Table`](crate::Table): a `String`, an integer, a `bool`, or a tuple of two to
/// six of these.
///
/// Keys are in their usual order: numbers from the smallest on, texts by their bytes, tuples by their first
/// part that differs.
///
/// ```
/// use dacapo::{Executor, Table};
///
/// const ORDERS: Table<(String, u32), u64> = Table::new("orders");
///
/// let executor = Executor::builder().in_memory();
/// executor.block_on(executor.write(|tx| {
///     for (customer, number) in [("ada", 10), ("ada", 9), ("adam", 1)] {
///         tx.put(ORDERS, &(customer, number), &250);
///     }
///     Ok::<_, dacapo::Error>(())
/// }))?;
/// let of_ada = |name: &str| (name.to_owned(), 0)..=(name.to_owned(), u32::MAX);
/// let numbers = executor.read(|tables| {
///     tables.range(ORDERS, of_ada("ada")).map(|((_, number), _)| number).collect::<Vec<_>>()
/// })?;
/// assert_eq!(numbers, [9, 10]);
/// # Ok::<(), dacapo::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a table",
    note = "a key is a `String`, an integer, a `bool`, or a tuple of two to six of these"
)]
pub trait Key: KeySealed + AsKey<Self> + Debug + Sized + 'static {}

/// What a key of a [`Table`](crate::Table) is looked up by: the key, or a `&str` in the place of a `String`.
///
/// ```
/// fn finds<K>(_: &(impl dacapo::AsKey<K> + ?Sized)) {}
/// finds::<String>("tea");
/// finds::<(String, u64)>(&("tea", 7));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a key `{K}` is looked up by",
    note = "give it the key, or a `&str` in the place of a `String`"
)]
pub trait AsKey<K>: AsKeySealed<K> + Debug {}

mod sealed {
    use alloc::vec::Vec;

    pub trait KeySealed: Sized {
        /// Takes a key from the front; `None`: it is none.
        fn take(bytes: &mut &[u8]) -> Option<Self>;
    }

    pub trait AsKeySealed<K> {
        fn append(&self, bytes: &mut Vec<u8>);
    }
}

pub(super) fn to_bytes<K>(key: &(impl AsKey<K> + ?Sized)) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.append(&mut bytes);
    bytes
}

/// `None`: the bytes are no such key.
pub(super) fn of_bytes<K: Key>(mut bytes: &[u8]) -> Option<K> {
    let key = K::take(&mut bytes)?;
    bytes.is_empty().then_some(key)
}

/// Two bytes end a text, so that one that begins like another comes before it, also within a tuple. A 0
/// within it is followed by a byte that is larger.
const END: [u8; 2] = [0, 0];
const ZERO: [u8; 2] = [0, 1];

impl AsKeySealed<String> for str {
    fn append(&self, bytes: &mut Vec<u8>) {
        for part in self.as_bytes().split_inclusive(|byte| *byte == 0) {
            match part.strip_suffix(&[0]) {
                Some(before) => {
                    bytes.extend_from_slice(before);
                    bytes.extend_from_slice(&ZERO);
                }
                None => bytes.extend_from_slice(part),
            }
        }
        bytes.extend_from_slice(&END);
    }
}

impl AsKeySealed<String> for &str {
    fn append(&self, bytes: &mut Vec<u8>) {
        (**self).append(bytes);
    }
}

impl AsKeySealed<String> for String {
    fn append(&self, bytes: &mut Vec<u8>) {
        (**self).append(bytes);
    }
}

impl AsKeySealed<String> for &String {
    fn append(&self, bytes: &mut Vec<u8>) {
        (***self).append(bytes);
    }
}

impl AsKey<String> for str {}
impl AsKey<String> for &str {}
impl AsKey<String> for String {}
impl AsKey<String> for &String {}

impl KeySealed for String {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            let zero = bytes.iter().position(|byte| *byte == 0)?;
            text.extend_from_slice(&bytes[..zero]);
            let (end, rest) = bytes[zero..].split_first_chunk()?;
            *bytes = rest;
            match *end {
                END => return String::from_utf8(text).ok(),
                ZERO => text.push(0),
                _ => return None,
            }
        }
    }
}

impl Key for String {}

impl AsKeySealed<bool> for bool {
    fn append(&self, bytes: &mut Vec<u8>) {
        bytes.push((*self).into());
    }
}

impl KeySealed for bool {
    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u8::take(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl AsKey<bool> for bool {}
impl Key for bool {}

macro_rules! integers {
    ($($Integer:ident as $Unsigned:ident),* $(,)?) => {$(
        impl AsKeySealed<$Integer> for $Integer {
            fn append(&self, bytes: &mut Vec<u8>) {
                // Negative numbers come first: their sign is turned round.
                let first = $Integer::MIN as $Unsigned;
                bytes.extend_from_slice(&(*self as $Unsigned ^ first).to_be_bytes());
            }
        }

        impl KeySealed for $Integer {
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let (own, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                let first = $Integer::MIN as $Unsigned;
                Some(($Unsigned::from_be_bytes(*own) ^ first) as $Integer)
            }
        }

        impl AsKey<$Integer> for $Integer {}
        impl Key for $Integer {}
    )*};
}

integers! {
    u8 as u8, u16 as u16, u32 as u32, u64 as u64, u128 as u128,
    i8 as u8, i16 as u16, i32 as u32, i64 as u64, i128 as u128,
}

macro_rules! tuples {
    ($(($($K:ident $Q:ident $n:tt),+))*) => {$(
        impl<$($K,)+ $($Q: AsKeySealed<$K>),+> AsKeySealed<($($K,)+)> for ($($Q,)+) {
            fn append(&self, bytes: &mut Vec<u8>) {
                $(self.$n.append(bytes);)+
            }
        }

        impl<$($K: KeySealed),+> KeySealed for ($($K,)+) {
            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(($($K::take(bytes)?,)+))
            }
        }

        impl<$($K,)+ $($Q: AsKey<$K>),+> AsKey<($($K,)+)> for ($($Q,)+) {}
        impl<$($K: Key),+> Key for ($($K,)+) {}
    )*};
}

tuples! {
    (K0 Q0 0, K1 Q1 1)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4)
    (K0 Q0 0, K1 Q1 1, K2 Q2 2, K3 Q3 3, K4 Q4 4, K5 Q5 5)
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;

    fn check<K: Key + Ord + Clone>(mut keys: Vec<K>) {
        keys.sort();
        let bytes: Vec<_> = keys.iter().map(to_bytes::<K>).collect();
        assert!(bytes.is_sorted(), "{keys:?}");
        for (key, bytes) in keys.iter().zip(&bytes) {
            assert_eq!(of_bytes::<K>(bytes).as_ref(), Some(key));
            assert_eq!(of_bytes::<K>(&bytes[..bytes.len() - 1]), None, "one is missing");
            let more = [bytes, &[7][..]].concat();
            assert_eq!(of_bytes::<K>(&more), None, "there is one too many");
        }
    }

    fn texts() -> Vec<String> {
        [
            "",
            "\0",
            "\0\0",
            "\0\u{1}",
            "\u{1}",
            "a",
            "a\0",
            "a\0b",
            "a\u{1}",
            "ab",
            "b",
            "æ",
            "\u{10ffff}",
        ]
        .map(str::to_owned)
        .into()
    }

    #[test]
    fn bytes_are_in_the_order_of_the_keys() {
        check(texts());
        check([false, true].into());
        check([u64::MIN, 1, 255, 256, u64::MAX - 1, u64::MAX].into());
        check([i8::MIN, -2, -1, 0, 1, i8::MAX].into());
        check([i128::MIN, -1, 0, 1, i128::MAX].into());
        let numbers = [i16::MIN, -1, 0, 255, 256, i16::MAX];
        let pairs =
            texts().into_iter().flat_map(|text| numbers.map(|number| (text.clone(), number)));
        check(pairs.collect());
        let pairs = texts()
            .into_iter()
            .flat_map(|one| texts().into_iter().map(move |other| (one.clone(), other)));
        check(pairs.collect());
        check((0..64u8).map(|n| (n % 2 == 0, n / 3, -i64::from(n), n, n, n)).collect());
    }

    /// They are on the page about the format.
    #[test]
    fn the_bytes_of_keys_are_fixed() {
        assert_eq!(to_bytes::<u32>(&0x0102), [0, 0, 1, 2]);
        assert_eq!(to_bytes::<i16>(&-1), [0x7f, 0xff]);
        assert_eq!(to_bytes::<String>("a\0b"), [b'a', 0, 1, b'b', 0, 0]);
        assert_eq!(to_bytes::<(String, bool)>(&("a", true)), [b'a', 0, 0, 1]);
    }

    #[test]
    fn what_a_key_is_looked_up_by_has_its_bytes() {
        let key = ("tea".to_owned(), 7u64, true);
        assert_eq!(
            to_bytes::<(String, u64, bool)>(&("tea", 7, true)),
            to_bytes::<(String, u64, bool)>(&key)
        );
        assert_eq!(to_bytes::<String>("tea"), to_bytes::<String>(&key.0));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(of_bytes::<bool>(&[2]), None);
        assert_eq!(of_bytes::<String>(&[b'a', 0, 2, 0, 0]), None);
        assert_eq!(of_bytes::<String>(&[0xff, 0, 0]), None);
        assert_eq!(of_bytes::<String>(b"abc"), None);
    }
}
