//! serde's attributes, each on both sides: what is written with it, and what is read with it.

use std::collections::HashMap;
use std::fmt::Debug;

use dacapo_values::Shapes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ordinary::Order;
use crate::support::{Value, encode, round};

/// It is read back, shown so, and takes so many bytes more than postcard's.
#[track_caller]
fn check<T: Value>(value: T, view: &str, more: usize) {
    let shapes = Shapes::new();
    let postcard = postcard::to_allocvec(&value).map_or(0, |bytes| bytes.len());
    let bytes = round(&shapes, value);
    assert_eq!(shapes.view(&bytes).expect("it is shown").to_string(), view);
    if postcard > 0 {
        assert_eq!(bytes.len() - postcard, more);
    }
}

/// What one type writes, another one reads.
#[track_caller]
fn reads<A, B>(written: A, read: B)
where
    A: Serialize + DeserializeOwned + 'static,
    B: DeserializeOwned + PartialEq + Debug,
{
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &written).expect("it is recorded");
    assert_eq!(shapes.decode::<B>(&bytes), Ok(read));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    a: u8,
    b: String,
}

fn plain() -> Plain {
    Plain { a: 1, b: "x".into() }
}

#[test]
fn of_fields_that_are_missing() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Defaults {
        a: u8,
        #[serde(default)]
        c: u8,
        #[serde(default = "seven")]
        d: u8,
        e: Option<u8>,
    }
    fn seven() -> u8 {
        7
    }
    reads(plain(), Defaults { a: 1, c: 0, d: 7, e: None });

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct All {
        b: String,
        c: u8,
    }
    impl Default for All {
        fn default() -> All {
            All { b: String::new(), c: 9 }
        }
    }
    reads(plain(), All { b: "x".into(), c: 9 });

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none")]
        discount: Option<u8>,
        price: u8,
    }
    check(Skipping { discount: None, price: 9 }, "Skipping { price: 9 }", 1);
    let both =
        vec![Skipping { discount: None, price: 9 }, Skipping { discount: Some(0), price: 5 }];
    let view = "[Skipping { price: 9 }, Skipping { discount: Some(0), price: 5 }]";
    // The number; and of each a byte for each field that is there, and one at its end.
    check(both, view, 6);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Skipped {
        a: u8,
        #[serde(skip)]
        cache: u8,
    }
    check(Skipped { a: 1, cache: 0 }, "Skipped { a: 1 }", 1);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Once {
        #[serde(skip_deserializing)]
        once: u8,
    }
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Once { once: 1 }).expect("it is recorded");
    let (read, unread) = shapes.decode_and_unread::<Once>(&bytes).expect("it is read");
    assert_eq!((read, unread), (Once { once: 0 }, vec!["Once.once".to_string()]));
}

#[test]
fn of_names() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Renamed {
        item_name: u8,
        #[serde(rename = "type")]
        kind: u8,
    }
    check(Renamed { item_name: 1, kind: 2 }, "Renamed { itemName: 1, type: 2 }", 1);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Aliased {
        #[serde(alias = "a", alias = "old")]
        new: u8,
        b: String,
    }
    reads(plain(), Aliased { new: 1, b: "x".into() });
    check(Aliased { new: 1, b: "x".into() }, "Aliased { new: 1, b: \"x\" }", 1);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kinds {
        FirstOne,
        #[serde(alias = "second", alias = "B")]
        SecondOne,
        #[serde(other)]
        Unknown,
    }
    check(Kinds::FirstOne, "first-one", 1);
    reads("second".to_string(), Kinds::SecondOne);
    reads("third".to_string(), Kinds::Unknown);
}

#[test]
fn of_conversions() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(from = "u64", into = "u64")]
    struct Cents(i128);
    impl From<u64> for Cents {
        fn from(cents: u64) -> Cents {
            Cents(cents.into())
        }
    }
    impl From<Cents> for u64 {
        fn from(cents: Cents) -> u64 {
            cents.0 as u64
        }
    }
    check(Cents(300), "300", 1);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "u8")]
    struct Even(u8);
    impl TryFrom<u8> for Even {
        type Error = &'static str;
        fn try_from(value: u8) -> Result<Even, &'static str> {
            if value.is_multiple_of(2) { Ok(Even(value)) } else { Err("it is odd") }
        }
    }
    check(Even(2), "2", 1);
    let shapes = Shapes::new();
    let error = encode(&shapes, &Even(3)).expect_err("it is refused").to_string();
    assert_eq!(error, "it can be written and not read back: it is odd; it would be recorded as u8");

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Transparent {
        order: Order,
    }
    check(Transparent { order: Order::tea() }, "Order { id: 7, item: \"tea\", cents: 250 }", 1);

    mod hex {
        pub(super) fn serialize<S: serde::Serializer>(
            value: &u32,
            s: S,
        ) -> Result<S::Ok, S::Error> {
            s.collect_str(&format_args!("{value:x}"))
        }
        pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u32, D::Error> {
            let text: String = serde::Deserialize::deserialize(d)?;
            u32::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
        }
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct With {
        #[serde(with = "hex")]
        color: u32,
    }
    check(With { color: 255 }, "With { color: \"ff\" }", 1);

    #[derive(Serialize, Deserialize)]
    #[serde(remote = "Plain")]
    struct Remote {
        a: u8,
        b: String,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holds(#[serde(with = "Remote")] Plain);
    check(Holds(plain()), "Remote { a: 1, b: \"x\" }", 1);

    let text = Loose::Text("x".into());
    reads(plain(), HashMap::from([("b".to_string(), text), ("a".to_string(), Loose::Number(1))]));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(u64),
    Text(String),
    Both { a: u8, order: Order },
    One(Order),
}

#[test]
fn of_enums_without_their_own_form() {
    check(Loose::Number(7), "7", 1);
    check(Loose::Text("x".into()), "\"x\"", 1);
    let all =
        vec![Loose::One(Order::tea()), Loose::Both { a: 1, order: Order::tea() }, Loose::Number(1)];
    let order = "{ \"id\": 7, \"item\": \"tea\", \"cents\": 250 }";
    let shapes = Shapes::new();
    let bytes = round(&shapes, all);
    assert_eq!(
        shapes.view(&bytes).expect("it is shown").to_string(),
        format!("[{order}, {{ \"a\": 1, \"order\": {order} }}, 1]")
    );

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Paid { cents: u64 },
        Declined { why: String },
        Moved(Order),
        Nothing,
    }
    check(Tagged::Paid { cents: 3 }, "Tagged { type: \"Paid\", cents: 3 }", 1);
    let shapes = Shapes::new();
    let declined = || Tagged::Declined { why: "no".into() };
    round(&shapes, vec![declined(), Tagged::Nothing, Tagged::Moved(Order::tea()), declined()]);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        A(u8),
        B { x: String },
        C,
    }
    round(&shapes, vec![Adjacent::A(1), Adjacent::B { x: "x".into() }, Adjacent::C]);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "op")]
    enum Expression {
        Number { value: i64 },
        Sum { left: Box<Expression>, right: Box<Expression> },
    }
    let number = |value| Box::new(Expression::Number { value });
    let sum = |left, right| Box::new(Expression::Sum { left, right });
    round(&shapes, *sum(number(1), sum(number(2), number(-3))));
}

#[test]
fn of_fields_that_are_flattened() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        id: u64,
        #[serde(flatten)]
        inside: Inside,
        #[serde(flatten)]
        more: HashMap<String, u64>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inside {
        name: String,
        deep: Option<Box<Inside>>,
    }
    let deep = Some(Box::new(Inside { name: "y".into(), deep: None }));
    let more = HashMap::from([("k".to_string(), 3)]);
    check(
        Flat { id: 1, inside: Inside { name: "x".into(), deep }, more },
        "{ \"id\": 1, \"name\": \"x\", \"deep\": Some({ \"name\": \"y\", \"deep\": None }), \
         \"k\": 3 }",
        0,
    );
}

#[test]
fn of_json() {
    let text = r#"{"a":[1,"x",null,{"b":[[]]}],"f":1.5,"id":7,"n":-3,"paid":true}"#;
    let json: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let shapes = Shapes::new();
    let bytes = round(&shapes, json);
    let view = shapes.view(&bytes).expect("it is shown");
    assert_eq!(serde_json::to_string(&view).expect("JSON"), text);
    round(&shapes, serde_json::json!(null));
    round(&shapes, serde_json::json!([u64::MAX, i64::MIN, 0.25]));
}

#[test]
fn of_variants_that_are_skipped() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum State {
        New,
        #[serde(skip)]
        Cached,
        Paid,
        Refunded(u8),
    }
    check(vec![State::Paid, State::New, State::Refunded(1)], "[Paid, New, Refunded(1)]", 1);
    let shapes = Shapes::new();
    assert!(encode(&shapes, &State::Cached).is_err());
}

#[test]
fn of_fields_that_are_not_known() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        a: u8,
    }
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &plain()).expect("it is recorded");
    assert_eq!(
        shapes.decode::<Strict>(&bytes).expect_err("b is there").to_string(),
        "unknown field `b`, expected `a`; it was recorded as Plain { a: u8, b: String }"
    );
    round(&shapes, Strict { a: 1 });
}

/// serde's buffers hold no 128 bits, and addresses are not written as they are asked for.
#[test]
fn that_are_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Wide {
        A(u128),
        B(std::net::IpAddr),
    }
    let shapes = Shapes::new();
    assert!(encode(&shapes, &Wide::A(u128::MAX)).is_err());
    assert!(encode(&shapes, &Wide::B([127, 0, 0, 1].into())).is_err());

    #[derive(Debug, Serialize, Deserialize)]
    struct Renamed {
        #[serde(rename(serialize = "b"))]
        a: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Skipped {
        #[serde(skip_serializing)]
        a: u8,
        b: u8,
    }
    let _ = |skipped: Skipped| skipped.a;
    for error in [encode(&shapes, &Renamed { a: 1 }), encode(&shapes, &Skipped { a: 1, b: 2 })] {
        let text = error.expect_err("it is refused").to_string();
        assert!(text.contains("missing field `a`; it would be recorded as"), "{text}");
    }
    assert!(shapes.is_empty());
}
