//! Types that change from one build to the next, and back again.

use std::fmt::Debug;

use dacapo_values::Shapes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{encode, restarted};

/// Around a value: as it is found in others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nested<T> {
    list: Vec<T>,
    option: Option<T>,
    choice: Choice<T>,
    pair: (T, u8),
    fields: Choice<T>,
    last: T,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice<T> {
    One(T),
    Named { it: T },
}

impl<T: Clone> Nested<T> {
    fn new(it: &T) -> Nested<T> {
        Nested {
            list: vec![it.clone(); 2],
            option: Some(it.clone()),
            choice: Choice::One(it.clone()),
            pair: (it.clone(), 1),
            fields: Choice::Named { it: it.clone() },
            last: it.clone(),
        }
    }
}

/// What was written as the one is read as the other, alone and inside of others, in this process
/// and in the next one, whose own values have shapes of their own.
#[track_caller]
fn becomes<A, B>(old: A, new: B)
where
    A: Serialize + DeserializeOwned + Clone + 'static,
    B: Serialize + DeserializeOwned + Clone + PartialEq + Debug + 'static,
{
    let shapes = Shapes::new();
    let alone = encode(&shapes, &old).expect("it is recorded");
    let nested = encode(&shapes, &Nested::new(&old)).expect("it is recorded");
    let next = restarted(&shapes);
    encode(&next, &new).expect("it is recorded");
    encode(&next, &Nested::new(&new)).expect("it is recorded");
    for shapes in [&shapes, &next] {
        assert_eq!(shapes.decode::<B>(&alone).as_ref(), Ok(&new));
        assert_eq!(shapes.decode::<Nested<B>>(&nested), Ok(Nested::new(&new)));
    }
}

#[track_caller]
fn alone<A, B>(old: A, new: B)
where
    A: Serialize + DeserializeOwned + 'static,
    B: DeserializeOwned + PartialEq + Debug,
{
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &old).expect("it is recorded");
    assert_eq!(shapes.decode::<B>(&bytes), Ok(new));
}

/// Both ways: a build that is taken back reads what the newer one wrote.
#[track_caller]
fn and_back<A, B>(old: A, new: B)
where
    A: Serialize + DeserializeOwned + Clone + PartialEq + Debug + 'static,
    B: Serialize + DeserializeOwned + Clone + PartialEq + Debug + 'static,
{
    becomes(old.clone(), new.clone());
    becomes(new, old);
}

#[track_caller]
fn fails_alone<A, B>(old: A, why: &str)
where
    A: Serialize + DeserializeOwned + 'static,
    B: DeserializeOwned + Debug,
{
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &old).expect("it is recorded");
    let error = shapes.decode::<B>(&bytes).expect_err("it is not read");
    assert!(error.is_undecodable());
    let text = error.to_string();
    assert!(text.starts_with(why) && text.contains("; it was recorded as "), "{text}");
}

#[track_caller]
fn fails<A, B>(old: A, why: &str)
where
    A: Serialize + DeserializeOwned + Clone + 'static,
    B: DeserializeOwned + Debug,
{
    fails_alone::<A, B>(old.clone(), why);
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Nested::new(&old)).expect("it is recorded");
    let error = shapes.decode::<Nested<B>>(&bytes).expect_err("it is not read");
    assert!(error.to_string().starts_with(why), "{error}");
}

macro_rules! build {
    ($name:ident { $($item:item)* }) => {
        mod $name {
            $(
                #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
                $item
            )*
        }
    };
}

build! { v1 {
    pub(super) struct Price { pub net: u64, pub tax: u64 }
    pub(super) struct Pair { pub a: u64, pub b: u64 }
    pub(super) enum Decision { Approve, Reject, Amount(u64), Terms { days: u8 } }
} }
build! { added {
    pub(super) struct Price { pub net: u64, #[serde(default)] pub currency: String, pub tax: u64 }
    pub(super) enum Decision {
        Later, Approve, Reject, Amount(u64), Terms { #[serde(default)] note: String, days: u8 }
    }
} }
build! { optional {
    pub(super) struct Price { pub net: u64, pub tax: u64, pub note: Option<u8> }
} }
build! { removed {
    pub(super) struct Price { pub tax: u64 }
    pub(super) struct OfPrice { #[serde(default)] pub net: u64, pub tax: u64 }
    pub(super) enum Decision { Amount(u64), Approve }
} }
build! { moved {
    pub(super) struct Price { pub tax: u64, pub net: u64 }
    pub(super) enum Decision { Terms { days: u8 }, Reject, Amount(u64), Approve }
} }
build! { wider {
    pub(super) struct Price { pub net: u128, pub tax: i128 }
    pub(super) enum Decision { Approve, Reject, Amount(u128), Terms { days: u64 } }
    pub(super) struct Floats { pub net: f64, pub tax: f32 }
    pub(super) struct Narrow { pub net: u64, pub tax: u8 }
} }
build! { options {
    pub(super) struct Price { pub net: Option<u64>, pub tax: Option<u64> }
} }
build! { renamed {
    pub(super) struct Price {
        #[serde(alias = "net")] pub netto: u64,
        #[serde(alias = "tax")] pub vat: u64,
    }
    // The list of fields is the recorded one, less a name that the alias stands for.
    pub(super) struct Pair { #[serde(alias = "a")] pub b: u64 }
    pub(super) enum Decision {
        #[serde(alias = "Approve", alias = "Fine")] Yes,
        #[serde(alias = "Reject")] No,
        #[serde(alias = "Amount")] Sum(u64),
        #[serde(alias = "Terms")] With { #[serde(alias = "days")] weeks: u8 },
    }
    pub(super) enum Swapped {
        #[serde(alias = "Reject")] Approve,
    }
} }
build! { strict {
    pub(super) struct Price { pub net: u64, pub tax: u64, pub currency: String }
    pub(super) enum Decision { Yes, No }
} }

fn v1() -> v1::Price {
    v1::Price { net: 100, tax: 19 }
}

fn decisions() -> [v1::Decision; 4] {
    use v1::Decision::*;
    [Approve, Reject, Amount(7), Terms { days: 30 }]
}

#[test]
fn fields_are_added_and_removed() {
    and_back(v1(), added::Price { net: 100, currency: "".into(), tax: 19 });
    and_back(v1(), optional::Price { net: 100, tax: 19, note: None });
    becomes(v1(), removed::Price { tax: 19 });
    and_back(v1::Price { net: 0, tax: 19 }, removed::OfPrice { net: 0, tax: 19 });
    becomes(removed::Price { tax: 19 }, removed::OfPrice { net: 0, tax: 19 });
    fails::<_, strict::Price>(v1(), "missing field `currency`");
    fails::<_, v1::Price>(removed::Price { tax: 19 }, "missing field `net`");
}

#[test]
fn fields_are_moved() {
    and_back(v1(), moved::Price { net: 100, tax: 19 });
}

#[test]
fn fields_are_renamed() {
    becomes(v1(), renamed::Price { netto: 100, vat: 19 });
    fails::<_, v1::Price>(renamed::Price { netto: 100, vat: 19 }, "missing field `net`");
    fails::<_, renamed::Pair>(v1::Pair { a: 1, b: 2 }, "duplicate field `b`");
}

#[test]
fn numbers_become_wider() {
    and_back(v1(), wider::Price { net: 100, tax: 19 });
    becomes(v1(), wider::Floats { net: 100.0, tax: 19.0 });
    becomes(v1(), wider::Narrow { net: 100, tax: 19 });
    alone(7u8, 7i128);
    alone(-7i8, -7i64);
    alone(u64::MAX, u128::from(u64::MAX));
    alone(u128::from(u64::MAX), u64::MAX);
    alone(i128::from(i64::MIN), i64::MIN);
    alone(0.5f64, 0.5f32);
    alone(0.1f32, f64::from(0.1f32));
    alone(1u64 << 53, (1u64 << 53) as f64);
    alone(i128::MIN, i128::MIN as f64);
    alone(1u128 << 127, (1u128 << 127) as f32);
    let price = |net, tax| v1::Price { net, tax };
    fails::<_, wider::Narrow>(price(1, 300), "invalid value: integer `300`, expected u8");
    let why = "18446744073709551615 is no number of the type that is asked for";
    fails::<_, wider::Floats>(price(u64::MAX, 1), why);
    fails_alone::<_, f64>((1u64 << 53) + 1, "9007199254740993 is no number");
    fails_alone::<_, f64>(u128::MAX, "340282366920938463463374607431768211455 is no number");
    fails_alone::<_, f64>(i128::MAX, "170141183460469231731687303715884105727 is no number");
    fails_alone::<_, f64>(i64::MAX, "9223372036854775807 is no number");
    fails_alone::<_, f32>(0.1f64, "0.1 is no number");
    fails_alone::<_, f32>(16_777_217u32, "16777217 is no number");
    fails_alone::<_, u64>(
        u128::MAX,
        "invalid type: integer `340282366920938463463374607431768211455`",
    );
    fails_alone::<_, u64>(1.0f64, "invalid type: floating point `1.0`");
    fails_alone::<_, u64>(-1i8, "invalid value: integer `-1`");
}

#[test]
fn options_come_and_go() {
    and_back(v1(), options::Price { net: Some(100), tax: Some(19) });
    fails::<_, v1::Price>(options::Price { net: None, tax: Some(19) }, "invalid type: unit value");
    and_back(7u32, Some(7u64));
    becomes((), None::<u8>);
}

#[test]
fn variants_are_added_removed_and_moved() {
    use v1::Decision::*;
    for old in decisions() {
        let later = match old.clone() {
            Approve => added::Decision::Approve,
            Reject => added::Decision::Reject,
            Amount(amount) => added::Decision::Amount(amount),
            Terms { days } => added::Decision::Terms { note: "".into(), days },
        };
        and_back(old.clone(), later);
        let elsewhere = match old.clone() {
            Approve => moved::Decision::Approve,
            Reject => moved::Decision::Reject,
            Amount(amount) => moved::Decision::Amount(amount),
            Terms { days } => moved::Decision::Terms { days },
        };
        and_back(old.clone(), elsewhere);
        match old.clone() {
            Approve => and_back(old, removed::Decision::Approve),
            Amount(amount) => and_back(old, removed::Decision::Amount(amount)),
            Reject => fails::<_, removed::Decision>(old, "unknown variant `Reject`, expected `Amo"),
            Terms { .. } => fails::<_, removed::Decision>(old, "unknown variant `Terms`, expected"),
        }
    }
    fails::<_, v1::Decision>(added::Decision::Later, "unknown variant `Later`, expected one of");
}

#[test]
fn variants_are_renamed_and_become_wider() {
    use v1::Decision::*;
    for old in decisions() {
        let new = match old.clone() {
            Approve => renamed::Decision::Yes,
            Reject => renamed::Decision::No,
            Amount(amount) => renamed::Decision::Sum(amount),
            Terms { days } => renamed::Decision::With { weeks: days },
        };
        becomes(old.clone(), new);
        let wide = match old.clone() {
            Approve => wider::Decision::Approve,
            Reject => wider::Decision::Reject,
            Amount(amount) => wider::Decision::Amount(amount.into()),
            Terms { days } => wider::Decision::Terms { days: days.into() },
        };
        and_back(old, wide);
    }
    becomes(Reject, renamed::Swapped::Approve);
}

#[test]
fn a_variant_that_is_gone_is_told_with_all_that_were_recorded() {
    let shapes = Shapes::new();
    encode(&shapes, &v1::Decision::Approve).expect("it is recorded");
    let bytes = encode(&shapes, &v1::Decision::Reject).expect("it is recorded");
    assert_eq!(
        shapes.decode::<strict::Decision>(&bytes).expect_err("it is gone").to_string(),
        "unknown variant `Reject`, expected `Yes` or `No`; it was recorded as enum Decision { \
         Approve, Reject }"
    );
}

#[test]
fn kinds_that_hold_the_same() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Cents(u64);
    and_back(Cents(7), 7u64);
    and_back("Approve".to_string(), "Approve".to_string());
    becomes("Approve".to_string(), v1::Decision::Approve);
    let map = |entries: &[(&str, u64)]| {
        entries
            .iter()
            .map(|(k, v)| (k.to_string(), *v))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    and_back(v1(), map(&[("net", 100), ("tax", 19)]));
    and_back([1u8, 2, 3], vec![1u8, 2, 3]);
    and_back((1u8, 2u64), [1u64, 2]);
    becomes('x', "x".to_string());
    becomes("x".to_string(), 'x');
    fails::<_, (u8,)>((1u8, 2u8), "1 more elements were recorded than are asked for");
    fails::<_, (u8,)>(vec![1u8, 2], "1 more elements were recorded than are asked for");
    fails::<_, [u8; 2]>(vec![1u8, 2, 3, 4], "2 more elements were recorded than are asked for");
    fails::<_, (u8, u8, u8)>((1u8, 2u8), "invalid length 2, expected a tuple of size 3");
}

#[test]
fn what_nobody_asks_for_is_told() {
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Nested::new(&v1())).expect("it is recorded");
    let read = shapes.decode_and_unread::<Nested<removed::Price>>(&bytes);
    assert_eq!(read, Ok((Nested::new(&removed::Price { tax: 19 }), vec!["Price.net".to_string()])));
    #[derive(Debug, PartialEq, Deserialize)]
    struct Few {
        last: v1::Price,
    }
    let (read, unread) = shapes.decode_and_unread::<Few>(&bytes).expect("it is read");
    assert_eq!(read, Few { last: v1() });
    let expected = ["choice", "fields", "list", "option", "pair"];
    assert_eq!(unread, expected.map(|field| format!("Nested.{field}")));
}

/// A field that is read is not told, whatever of it is passed over.
#[test]
fn what_is_read_in_part_is_not_told() {
    #[derive(Serialize, Deserialize)]
    struct Recorded {
        list: Vec<u8>,
        left: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Wanted {
        list: First,
    }
    #[derive(Debug, PartialEq)]
    struct First(u8);
    impl<'de> Deserialize<'de> for First {
        fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = First;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a list")
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(
                    self,
                    mut list: A,
                ) -> Result<First, A::Error> {
                    let first = list.next_element()?.unwrap_or_default();
                    while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                    Ok(First(first))
                }
            }
            d.deserialize_seq(Visit)
        }
    }
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Recorded { list: vec![1, 2, 3], left: 4 });
    let read = shapes.decode_and_unread::<Wanted>(&bytes.expect("it is recorded"));
    assert_eq!(read, Ok((Wanted { list: First(1) }, vec!["Recorded.left".to_string()])));
}
