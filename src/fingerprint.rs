//! Fingerprints of values: what a step is about, in four bytes that a replay is held against.
//!
//! Two values that are the same as JSON have the same one: it means nothing in which order a map or a
//! struct has its entries, how wide a number is, and what a type is called.

use core::fmt;

use serde::de::value::Error;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Deserialize, Serialize, Serializer};

use crate::random::{mix, words};

/// It stands in records: the same value must have the same one for ever.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint(pub(crate) [u8; 4]);

impl Fingerprint {
    /// # Errors
    ///
    /// What the value's `Serialize` says when it refuses.
    pub(crate) fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let [a, b, c, d, ..] = value.serialize(Hash)?.to_le_bytes();
        Ok(Self([a, b, c, d]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a value is in JSON.
#[derive(Clone, Copy)]
enum Kind {
    Null,
    Bool,
    Integer,
    Float,
    Text,
    List,
    Map,
}

fn hash(kind: Kind, words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(kind as u64, mix)
}

fn text(text: &str) -> u64 {
    hash(Kind::Text, words(text).chain([text.len() as u64]))
}

fn integer(number: i128) -> u64 {
    hash(Kind::Integer, [number as u64, (number >> 64) as u64])
}

/// A variant of an enum that holds something: a map of one entry.
fn variant(name: &str, value: u64) -> u64 {
    let mut map = Parts::default();
    map.entry(text(name), value);
    map.whole(Kind::Map)
}

/// The parts of a list or a map so far.
#[derive(Default)]
struct Parts {
    sum: u64,
    count: u64,
    /// Of a map whose value comes next.
    key: u64,
    /// Which variant of an enum it is.
    variant: Option<&'static str>,
}

impl Parts {
    fn of(variant: &'static str) -> Self {
        Self { variant: Some(variant), ..Self::default() }
    }

    /// In order.
    fn element(&mut self, value: u64) {
        self.sum = mix(self.sum, value);
        self.count += 1;
    }

    /// In any order.
    fn entry(&mut self, key: u64, value: u64) {
        self.sum = self.sum.wrapping_add(mix(key, value));
        self.count += 1;
    }

    fn whole(&self, kind: Kind) -> u64 {
        let parts = hash(kind, [self.sum, self.count]);
        self.variant.map_or(parts, |name| variant(name, parts))
    }
}

/// The serializer, of which each value's hash comes.
struct Hash;

macro_rules! integers {
    ($($method:ident: $number:ty;)*) => {
        $(fn $method(self, number: $number) -> Result<u64, Error> {
            Ok(integer(number as i128))
        })*
    };
}

impl Serializer for Hash {
    type Ok = u64;
    type Error = Error;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    integers! {
        serialize_i8: i8;
        serialize_i16: i16;
        serialize_i32: i32;
        serialize_i64: i64;
        serialize_i128: i128;
        serialize_u8: u8;
        serialize_u16: u16;
        serialize_u32: u32;
        serialize_u64: u64;
        serialize_u128: u128;
    }

    fn serialize_bool(self, is: bool) -> Result<u64, Error> {
        Ok(hash(Kind::Bool, [is.into()]))
    }

    fn serialize_f32(self, number: f32) -> Result<u64, Error> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<u64, Error> {
        Ok(hash(Kind::Float, [number.to_bits()]))
    }

    fn serialize_char(self, char: char) -> Result<u64, Error> {
        Ok(text(char.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, str: &str) -> Result<u64, Error> {
        Ok(text(str))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<u64, Error> {
        let mut list = Parts::default();
        bytes.iter().for_each(|&byte| list.element(integer(byte.into())));
        Ok(list.whole(Kind::List))
    }

    fn serialize_none(self) -> Result<u64, Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<u64, Error> {
        Ok(hash(Kind::Null, [0]))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<u64, Error> {
        Ok(text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<u64, Error> {
        Ok(variant(name, value.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Error> {
        Ok(Parts::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Error> {
        Ok(Parts::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Error> {
        Ok(Parts::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Error> {
        Ok(Parts::of(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Error> {
        Ok(Parts::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Error> {
        Ok(Parts::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Error> {
        Ok(Parts::of(variant))
    }
}

macro_rules! lists {
    ($($form:ident: $method:ident;)*) => {$(
        impl $form for Parts {
            type Ok = u64;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.element(value.serialize(Hash)?);
                Ok(())
            }

            fn end(self) -> Result<u64, Error> {
                Ok(self.whole(Kind::List))
            }
        }
    )*};
}

lists! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! structs {
    ($($form:ident)*) => {$(
        impl $form for Parts {
            type Ok = u64;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.entry(text(name), value.serialize(Hash)?);
                Ok(())
            }

            fn end(self) -> Result<u64, Error> {
                Ok(self.whole(Kind::Map))
            }
        }
    )*};
}

structs!(SerializeStruct SerializeStructVariant);

impl SerializeMap for Parts {
    type Ok = u64;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.key = key.serialize(Hash)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.entry(self.key, value.serialize(Hash)?);
        Ok(())
    }

    fn end(self) -> Result<u64, Error> {
        Ok(self.whole(Kind::Map))
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    #[derive(Serialize)]
    struct Order {
        item: &'static str,
        count: u8,
    }

    #[derive(Serialize)]
    struct Swapped {
        count: u64,
        item: &'static str,
    }

    #[derive(Serialize)]
    enum Event {
        Created,
        Paid(u32),
        Sent { to: &'static str },
        Moved(u8, u8),
    }

    #[derive(Serialize)]
    struct Newtype(u32);

    #[derive(Serialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
    }

    fn of(value: impl Serialize) -> Fingerprint {
        Fingerprint::of(&value).expect("plain data")
    }

    #[test]
    fn what_is_the_same_as_json_is_the_same() {
        assert_eq!(of(7u8), of(Newtype(7)));
        assert_eq!(of(7i64), of(Some(7u128)));
        assert_eq!(of(0.5f32), of(0.5f64));
        assert_eq!(of(()), of(None::<u8>));
        assert_eq!(of("a"), of('a'));
        assert_eq!(of("Created"), of(Event::Created));
        assert_eq!(of(Event::Paid(7)), of(BTreeMap::from([("Paid", 7u8)])));
        let to = BTreeMap::from([("to", "Ada")]);
        assert_eq!(of(Event::Sent { to: "Ada" }), of(BTreeMap::from([("Sent", to)])));
        assert_eq!(of(Event::Moved(1, 2)), of(BTreeMap::from([("Moved", [1, 2])])));
        assert_eq!(of([1u8, 2]), of((1u64, 2i8)));
        assert_eq!(of(Order { item: "tea", count: 2 }), of(Swapped { count: 2, item: "tea" }));
        let rest = BTreeMap::from([("a", 1), ("b", 2)]);
        assert_eq!(of(Flat { rest: rest.clone() }), of(rest));
    }

    #[test]
    fn what_differs_differs() {
        let numbers = (-1_000..1_000i64).map(of);
        let texts = ["", "\0", "a", "b", "aaaaaaaa", "aaaaaaaa\0", "aaaaaaaaa"].map(of);
        let lists = [&[][..], &["a"], &["b"], &["a", "b"], &["b", "a"], &["ab"], &["a", "b", ""]];
        let maps = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab")];
        let others =
            [of(()), of(true), of(false), of(0.0), of(1.0), of(i128::MAX), of(u128::MAX / 3)];
        let all: Vec<_> = numbers
            .chain(texts)
            .chain(lists.map(of))
            .chain(maps.map(|entry| of(BTreeMap::from([entry]))))
            .chain(maps.map(|(key, value)| of(Order { item: key, count: value.len() as u8 + 9 })))
            .chain(others)
            .collect();
        for (index, one) in all.iter().enumerate() {
            let same = all[..index].iter().position(|other| other == one);
            assert_eq!(same, None, "{index} is the same");
        }
    }

    /// Files hold them: a change of these makes replays diverge.
    #[test]
    fn fingerprints_stay_what_they_were() {
        let shown = [
            of(7).to_string(),
            of("order-7").to_string(),
            of(("tea", 2)).to_string(),
            of(Order { item: "tea", count: 2 }).to_string(),
            of(Event::Paid(250)).to_string(),
        ];
        assert_eq!(shown, ["#92dde241", "#65d2ef3c", "#6b48945a", "#a28d2394", "#884c4af7"]);
    }
}
