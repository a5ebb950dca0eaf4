//! Values of the kinds that serde knows: how they are shown, and how large they are.

use std::collections::BTreeMap;

use dacapo_values::Shapes;
use serde::{Deserialize, Serialize};

use crate::support::{Value, described, round, shown};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u64,
    pub(crate) item: String,
    pub(crate) cents: u32,
}

impl Order {
    pub(crate) fn tea() -> Order {
        Order { id: 7, item: "tea".into(), cents: 250 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created,
    Paid(u64),
    Moved(u8, u8),
    Sent { to: String, parts: Option<Vec<u8>> },
}

impl Event {
    pub(crate) fn all() -> [Event; 5] {
        let sent = |parts| Event::Sent { to: "me".into(), parts };
        [Event::Created, Event::Paid(3), Event::Moved(1, 2), sent(None), sent(Some(vec![1]))]
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    left: Option<Box<Tree>>,
    value: u32,
    right: Option<Box<Tree>>,
}

/// A value whose shape has no loose node and no any is postcard's, behind its number.
#[track_caller]
fn as_postcard<T: Value>(value: T, view: &str, description: &str) {
    let shapes = Shapes::new();
    let postcard = postcard::to_allocvec(&value).expect("it is plain");
    let bytes = round(&shapes, value);
    assert_eq!(bytes[1..], postcard);
    assert_eq!(shapes.view(&bytes).expect("it is shown").to_string(), view);
    assert_eq!(described(&shapes, &bytes), description);
}

#[test]
fn plain_values_are_those_of_postcard() {
    as_postcard((), "()", "()");
    as_postcard(true, "true", "bool");
    as_postcard(7u64, "7", "u64");
    as_postcard("héllo".to_string(), "\"héllo\"", "String");
    as_postcard('ß', "'ß'", "char");
    as_postcard((2.5f64, 0.1f32, f64::INFINITY), "(2.5, 0.1, inf)", "(f64, f32, f64)");
    as_postcard((u8::MAX, i8::MIN), "(255, -128)", "(u8, i8)");
    as_postcard((u16::MAX, i16::MIN), "(65535, -32768)", "(u16, i16)");
    as_postcard((u32::MAX, i32::MIN), "(4294967295, -2147483648)", "(u32, i32)");
    let view = "(18446744073709551615, -9223372036854775808)";
    as_postcard((u64::MAX, i64::MIN), view, "(u64, i64)");
    let view = format!("({}, {})", u128::MAX, i128::MIN);
    as_postcard((u128::MAX, i128::MIN), &view, "(u128, i128)");
    as_postcard(Some(Some(3u8)), "Some(Some(3))", "Option<Option<u8>>");
    as_postcard(Some(None::<u8>), "Some(None)", "Option<Option<_>>");
    as_postcard([1u8; 3], "(1, 1, 1)", "(u8, u8, u8)");
    as_postcard(vec![1u16, 300], "[1, 300]", "Vec<u16>");
    as_postcard(Vec::<Order>::new(), "[]", "Vec<_>");
    as_postcard(Unit, "()", "()");
    as_postcard(Empty {}, "Empty {}", "Empty { }");
    as_postcard(Newtype(9), "9", "u64");
    as_postcard(Pair(1, "x".into()), "(1, \"x\")", "(u8, String)");
    as_postcard((7u8,), "(7,)", "(u8,)");
    let view = "Order { id: 7, item: \"tea\", cents: 250 }";
    as_postcard(Order::tea(), view, "Order { id: u64, item: String, cents: u32 }");
    let map = BTreeMap::from([("a".to_string(), 1u64), ("b".to_string(), 2)]);
    as_postcard(map, "{ \"a\": 1, \"b\": 2 }", "Map<String, u64>");
    as_postcard(
        Event::all().to_vec(),
        "[Created, Paid(3), Moved(1, 2), Sent { to: \"me\", parts: None }, \
         Sent { to: \"me\", parts: Some([1]) }]",
        "Vec<enum Event { Created, Paid(u64), Moved(u8, u8), \
         Sent { to: String, parts: Option<Vec<u8>> } }>",
    );
    let leaf = || Some(Box::new(Tree { left: None, value: 2, right: None }));
    as_postcard(
        Tree { left: leaf(), value: 1, right: leaf() },
        "Tree { left: Some(Tree { left: None, value: 2, right: None }), value: 1, \
         right: Some(Tree { left: None, value: 2, right: None }) }",
        "Tree { left: Option<Tree>, value: u32, right: Option<Tree> }",
    );
}

#[test]
fn a_variant_alone_is_the_only_one_that_is_known() {
    let shapes = Shapes::new();
    for (place, event) in Event::all().into_iter().enumerate() {
        let bytes = round(&shapes, event);
        assert_eq!(usize::from(bytes[0]), 32 + place, "each time there is a shape more");
    }
    let bytes = round(&shapes, Event::Paid(4));
    assert_eq!(bytes, [36, 1, 4], "and then no more");
}

#[test]
fn a_shape_is_small() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Small {
        order: u64,
        cents: u32,
        attempts: u32,
    }
    let shapes = Shapes::new();
    round(&shapes, Small { order: 1, cents: 2, attempts: 3 });
    assert_eq!(shapes.stored(0)[0].len(), 37);
}

#[test]
fn nothing_is_lost_of_floats() {
    for bits in [0, 1, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, 1 << 63, 42] {
        let shapes = Shapes::new();
        let bytes = crate::support::encode(&shapes, &f64::from_bits(bits)).expect("a number");
        assert_eq!(shapes.decode::<f64>(&bytes).expect("a number").to_bits(), bits);
    }
}

/// As serde would write the value itself, so that any format can show it.
#[test]
fn views_are_written_as_their_values() {
    let shapes = Shapes::new();
    for event in Event::all() {
        let bytes = round(&shapes, event.clone());
        let view = serde_json::to_value(shapes.view(&bytes).expect("shown")).expect("JSON");
        assert_eq!(view, serde_json::to_value(&event).expect("JSON"));
    }
    let bytes = round(&shapes, (Order::tea(), -1i8, u64::MAX, 0.5f32, Some(())));
    let view = serde_json::to_string(&shapes.view(&bytes).expect("shown")).expect("JSON");
    assert_eq!(view, r#"[{"id":7,"item":"tea","cents":250},-1,18446744073709551615,0.5,null]"#);
}

#[test]
fn long_arrays_are_lists() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Hash([u8; 32]);
    assert!(shown(Hash([7; 32])).starts_with("(7, 7"));

    #[derive(Debug, PartialEq)]
    struct Long(Vec<u16>);
    impl Serialize for Long {
        fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = s.serialize_tuple(self.0.len())?;
            self.0.iter().try_for_each(|part| tuple.serialize_element(part))?;
            tuple.end()
        }
    }
    impl<'de> Deserialize<'de> for Long {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            Vec::deserialize(d).map(Long)
        }
    }
    let shapes = Shapes::new();
    let bytes = round(&shapes, Long(vec![7; 3_000]));
    assert_eq!(described(&shapes, &bytes), "Vec<u16>");
    assert_eq!(shapes.stored(0)[0].len(), 8);
}
