//! What is refused, and in which words; and that nothing is the worse for it.

use dacapo_values::{Error, Shapes};
use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ordinary::Order;
use crate::support::{described, encode, refused, restarted, round};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Bad {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<u8>,
    x: u8,
}

const MISSING: &str = "it can be written and not read back: missing field `list`; it would be \
                       recorded as Bad { ";

#[test]
fn a_value_that_cannot_be_read_back() {
    let shapes = Shapes::new();
    assert_eq!(refused(&shapes, &Bad { list: vec![], x: 1 }), MISSING.to_owned() + "x: u8 }");
    assert!(shapes.is_empty());
    let good = round(&shapes, Bad { list: vec![1], x: 1 });
    assert_eq!(described(&shapes, &good), "Bad { list: Vec<u8>, x: u8 }");
    // The first value under a number is not the only one that is looked at.
    for _ in 0..3 {
        let why = refused(&shapes, &Bad { list: vec![], x: 1 });
        assert_eq!(why, MISSING.to_owned() + "list?: Vec<u8>, x?: u8 }");
    }
    assert_eq!(round(&shapes, Bad { list: vec![1], x: 1 }), good);
    assert_eq!(shapes.len(), 1, "a value that is refused leaves no shape");
}

/// Where anything may stand, a shape says nothing of what is next: each value is looked at.
#[test]
fn a_value_of_any_kind_that_cannot_be_read_back() {
    #[derive(Debug, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Small {
        Number(u64),
        Text(String),
    }
    impl<'de> Deserialize<'de> for Small {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            match serde_json::Value::deserialize(d)? {
                serde_json::Value::String(text) => Ok(Small::Text(text)),
                number => match number.as_u64() {
                    Some(number) if number < 10 => Ok(Small::Number(number)),
                    _ => Err(serde::de::Error::custom("it is not small")),
                },
            }
        }
    }
    let shapes = Shapes::new();
    round(&shapes, Small::Number(1));
    let bytes = round(&shapes, Small::Text("one".into()));
    assert_eq!(described(&shapes, &bytes), "any");
    for _ in 0..2 {
        let why = refused(&shapes, &Small::Number(10));
        assert!(why.starts_with("it can be written and not read back: it is not small"), "{why}");
        round(&shapes, Small::Number(9));
    }
}

/// Calls a serializer by hand, and miscounts.
#[derive(Clone, Copy, Debug)]
enum Miscount {
    Seq(usize),
    Tuple(usize),
    Map(usize),
    KeyAlone,
    TwoKeys,
    Struct(usize),
}

impl Serialize for Miscount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match *self {
            Miscount::Seq(len) => {
                let mut seq = s.serialize_seq(Some(len))?;
                seq.serialize_element(&1u8)?;
                seq.serialize_element(&2u8)?;
                seq.end()
            }
            Miscount::Tuple(len) => {
                let mut tuple = s.serialize_tuple(len)?;
                tuple.serialize_element(&1u8)?;
                tuple.serialize_element(&2u8)?;
                tuple.end()
            }
            Miscount::Map(len) => {
                let mut map = s.serialize_map(Some(len))?;
                map.serialize_entry(&1u8, &2u8)?;
                map.serialize_entry(&2u8, &2u8)?;
                map.end()
            }
            Miscount::KeyAlone => {
                let mut map = s.serialize_map(None)?;
                map.serialize_key(&1u8)?;
                map.end()
            }
            Miscount::TwoKeys => {
                let mut map = s.serialize_map(None)?;
                map.serialize_key(&1u8)?;
                map.serialize_key(&1u8)?;
                map.end()
            }
            Miscount::Struct(len) => {
                let mut fields = s.serialize_struct("Miscount", len)?;
                fields.serialize_field("a", &1u8)?;
                fields.serialize_field("b", &1u8)?;
                fields.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Miscount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(d).map(|_| Miscount::KeyAlone)
    }
}

#[test]
fn a_length_that_is_wrong() {
    let wrong = |len| format!("its length was given as {len}, and is another");
    for len in [0, 1, 3, 100] {
        for value in [Miscount::Seq(len), Miscount::Tuple(len), Miscount::Map(len)] {
            assert_eq!(refused(&Shapes::new(), &value), wrong(len), "{value:?}");
        }
        // Structs have no count, so theirs does not matter.
        encode(&Shapes::new(), &Miscount::Struct(len)).expect("it is recorded");
    }
    for value in [Miscount::KeyAlone, Miscount::TwoKeys] {
        assert_eq!(refused(&Shapes::new(), &value), "its keys and values do not take turns");
    }
    // Except where they are maps.
    let shapes = Shapes::new();
    encode(&shapes, &Miscount::Seq(2)).expect("it is right");
    encode(&shapes, &Miscount::Struct(2)).expect("it is right");
    assert_eq!(refused(&shapes, &Miscount::Struct(3)), wrong(3));
}

#[test]
fn what_a_reader_is_told() {
    let shapes = Shapes::new();
    let order = encode(&shapes, &Order::tea()).expect("it is recorded");
    let why = |error: Error| {
        assert!(error.is_undecodable());
        error.to_string()
    };
    #[derive(Debug, PartialEq, Deserialize)]
    struct More {
        id: u64,
        currency: String,
    }
    assert_eq!(
        why(shapes.decode::<More>(&order).expect_err("currency is missing")),
        "missing field `currency`; it was recorded as Order { id: u64, item: String, cents: u32 }"
    );
    assert_eq!(
        why(shapes.decode::<(u64, String, u32)>(&order).expect_err("no tuple")),
        "invalid type: map, expected a tuple of size 3; it was recorded as Order { id: u64, \
         item: String, cents: u32 }"
    );
    let number = encode(&shapes, &u64::MAX).expect("it is recorded");
    assert_eq!(
        why(shapes.decode::<f64>(&number).expect_err("it has no float")),
        "18446744073709551615 is no number of the type that is asked for; it was recorded as u64"
    );
    assert_eq!(
        why(shapes.decode::<Vec<u64>>(&number).expect_err("no list")),
        "invalid type: integer `18446744073709551615`, expected a sequence; it was recorded as u64"
    );
}

#[test]
fn what_is_damaged() {
    let shapes = Shapes::new();
    let order = encode(&shapes, &Order::tea()).expect("it is recorded");
    let missing = Shapes::new().decode::<Order>(&[39, 1]).expect_err("there is none");
    assert!(missing.is_damaged());
    assert_eq!(missing.to_string(), "the file holds no shape 7");
    for bytes in [&order[..order.len() - 1], &[&order[..], &[0]].concat(), &[], &[0, 1], &[20, 0]] {
        let error = shapes.decode::<Order>(bytes).expect_err("it is damaged");
        assert!(error.is_damaged());
        assert_eq!(error.to_string(), "the bytes are not of the recorded shape");
        assert_eq!(shapes.view(bytes).expect_err("it is damaged"), error);
    }
}

/// Writes as much as is asked for, and fails or panics.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Half(Option<u8>, bool);

impl Serialize for Half {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut tuple = s.serialize_tuple(2)?;
        match self.0 {
            Some(n) if n > 100 => tuple.serialize_element("another kind")?,
            n => tuple.serialize_element(&n)?,
        }
        match self.0 {
            Some(201) => panic!("half way"),
            Some(200) => return Err(serde::ser::Error::custom("half way")),
            _ => tuple.serialize_element(&self.1)?,
        }
        tuple.end()
    }
}

/// The shape had grown by then, and the next value is none of the grown one under the old number.
#[test]
fn a_value_that_fails_half_way() {
    let shapes = Shapes::new();
    let good = Half(Some(7), false);
    let mut all = vec![encode(&shapes, &good).expect("it is recorded")];
    assert_eq!(refused(&shapes, &Half(Some(200), true)), "half way");
    all.push(encode(&shapes, &good).expect("it is recorded"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        encode(&shapes, &Half(Some(201), false))
    }));
    assert!(caught.is_err());
    all.push(encode(&shapes, &good).expect("it is recorded"));
    assert_eq!(shapes.len(), 1);
    for bytes in all {
        assert_eq!(bytes, [32, 1, 7, 0]);
        assert_eq!(restarted(&shapes).decode::<Half>(&bytes), Ok(good.clone()));
    }
}

std::thread_local! {
    static SHAPES: Shapes = Shapes::new();
}

/// Encodes others of its own and of other types while it is encoded.
#[derive(Debug, PartialEq, Deserialize)]
struct Nested {
    depth: u8,
    word: String,
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        SHAPES.with(|shapes| {
            let mut fields = s.serialize_struct("Nested", 2)?;
            fields.serialize_field("depth", &self.depth)?;
            if let Some(depth) = self.depth.checked_sub(1) {
                let inner = Nested { depth, word: self.word.repeat(2) };
                let bytes = encode(shapes, &inner).expect("it is recorded");
                assert_eq!(shapes.decode::<Nested>(&bytes), Ok(inner));
                for _ in 0..40 {
                    encode(shapes, &[(depth, 'x')]).expect("it is recorded");
                }
            }
            fields.serialize_field("word", &self.word)?;
            fields.end()
        })
    }
}

#[test]
fn a_value_that_encodes_others_meanwhile() {
    SHAPES.with(|shapes| {
        for depth in [3, 0, 3] {
            round(shapes, Nested { depth, word: "x".into() });
        }
        assert_eq!(shapes.len(), 2);
    });
}

/// Its kind is another one each time that it is written.
#[test]
fn a_value_that_is_never_the_same() {
    struct Fickle(std::cell::Cell<u32>);
    impl Serialize for Fickle {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            self.0.set(self.0.get() + 1);
            let key: &'static str = Box::leak(format!("field {}", self.0.get()).into_boxed_str());
            let mut fields = s.serialize_struct("Fickle", 1)?;
            fields.serialize_field(key, &self.0.get())?;
            fields.end()
        }
    }
    impl<'de> Deserialize<'de> for Fickle {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            serde::de::IgnoredAny::deserialize(d).map(|_| Fickle(Default::default()))
        }
    }
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Fickle(Default::default())).expect("it is recorded");
    assert!(shapes.view(&bytes).expect("it is shown").to_string().contains("\"field 6"));
}
