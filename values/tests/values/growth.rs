//! How shapes grow, and what a process takes up of the one before it.

use dacapo_values::Shapes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ordinary::{Event, Order};
use crate::support::{described, encode, restarted, round};

#[test]
fn each_kind_of_growth() {
    let shapes = Shapes::new();
    let describe = |bytes: Vec<u8>| described(&shapes, &bytes);
    assert_eq!(describe(round(&shapes, (None::<Vec<Order>>, 1u8))), "(Option<_>, u8)");
    assert_eq!(describe(round(&shapes, (Some(Vec::<Order>::new()), 1u8))), "(Option<Vec<_>>, u8)");
    assert_eq!(
        describe(round(&shapes, (Some(vec![Order::tea()]), 1u8))),
        "(Option<Vec<Order { id: u64, item: String, cents: u32 }>>, u8)"
    );
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(u64),
        Text(String),
    }
    assert_eq!(describe(round(&shapes, vec![Id::Number(1)])), "Vec<u64>");
    assert_eq!(describe(round(&shapes, vec![Id::Text("x".into())])), "Vec<any>");
    assert_eq!(describe(round(&shapes, Id::Number(1))), "u64");
    assert_eq!(describe(round(&shapes, Id::Text("x".into()))), "any");
    assert_eq!(describe(round(&shapes, Id::Number(1))), "any");
}

#[test]
fn two_types_of_one_name() {
    mod other {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(super) struct Order {
            pub(super) gross: String,
        }
    }
    let shapes = Shapes::new();
    let bytes = round(&shapes, (Order::tea(), other::Order { gross: "x".into() }));
    let order = "Order { id?: u64, item?: String, cents?: u32, gross?: String }";
    assert_eq!(described(&shapes, &bytes), format!("({order}, Order)"));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair<A, B> {
        a: A,
        b: B,
    }
    let bytes = round(&shapes, Pair { a: Pair { a: 1u8, b: "x".to_string() }, b: 3u32 });
    assert_eq!(described(&shapes, &bytes), "Pair { a: any, b: any }");
}

/// The fields of a variant have no name, and are no struct that has one.
#[test]
fn two_enums_of_one_name() {
    mod other {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(super) enum Event {
            Paid { cents: u8 },
        }
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Event {
        Paid(Order),
    }
    let shapes = Shapes::new();
    let paid = other::Event::Paid { cents: 1 };
    let bytes = round(&shapes, (Event::Paid(Order::tea()), paid));
    assert_eq!(
        shapes.view(&bytes).expect("it is shown").to_string(),
        "(Paid(|Order { id: 7, item: \"tea\", cents: 250 }), Paid(|Order { cents: 1 }))"
    );
}

#[test]
fn structs_of_two_names_in_one_place() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Order(Order),
        Small { id: u64 },
    }
    let shapes = Shapes::new();
    let bytes = round(&shapes, vec![Either::Order(Order::tea()), Either::Small { id: 1 }]);
    assert_eq!(
        described(&shapes, &bytes),
        "Vec<Either|Order { id?: u64, item?: String, cents?: u32 }>"
    );
    assert_eq!(bytes.len(), 16);
}

/// What one process learned of a type, the next one goes on from, whichever value comes first.
#[test]
fn a_restart_adds_nothing() {
    let mut shapes = Shapes::new();
    for event in Event::all() {
        round(&shapes, vec![event]);
    }
    round(&shapes, Vec::<Event>::new());
    round(&shapes, vec![Order::tea()]);
    round(&shapes, (None::<Order>, Some(Order::tea())));
    let all = shapes.len();
    assert_eq!(all, 7);
    for first in Event::all() {
        shapes = restarted(&shapes);
        let bytes = round(&shapes, vec![first]);
        assert_eq!(bytes[0], 32 + 4, "the newest one that covers it");
        round(&shapes, vec![Order::tea()]);
        round(&shapes, (None::<Order>, Some(Order::tea())));
        Event::all().into_iter().for_each(|event| drop(round(&shapes, vec![event])));
    }
    assert_eq!(shapes.len(), all);
}

/// An empty list may be of any type, and takes up none of them.
#[test]
fn what_is_vague_is_not_taken_for_another_type() {
    let shapes = Shapes::new();
    round(&shapes, vec![Order::tea()]);
    let shapes = restarted(&shapes);
    let bytes = round(&shapes, Vec::<Event>::new());
    assert_eq!(described(&shapes, &bytes), "Vec<_>");
    let bytes = round(&shapes, vec![Event::Created]);
    assert_eq!(described(&shapes, &bytes), "Vec<enum Event { Created }>");
    // And once it is known what it is of, it is found.
    let shapes = restarted(&shapes);
    round(&shapes, Vec::<Order>::new());
    assert_eq!(round(&shapes, vec![Order::tea()])[0], 32);
    assert_eq!(shapes.len(), 3);
}

#[test]
fn a_type_that_lost_a_field_is_loose_from_then_on() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Item {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        discount: Option<u8>,
        price: u8,
    }
    let mut shapes = Shapes::new();
    round(&shapes, Item { discount: Some(1), price: 2 });
    round(&shapes, Item { discount: None, price: 2 });
    for discount in [Some(1), None] {
        shapes = restarted(&shapes);
        round(&shapes, Item { discount, price: 2 });
        round(&shapes, Item { discount: None, price: 2 });
        assert_eq!(shapes.len(), 2, "whichever comes first");
    }
}

#[test]
fn a_type_that_lost_its_last_field_is_loose_from_then_on() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Item {
        price: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        discount: Option<u8>,
    }
    let shapes = Shapes::new();
    round(&shapes, Item { price: 2, discount: Some(1) });
    let bytes = round(&shapes, Item { price: 2, discount: None });
    assert_eq!(described(&shapes, &bytes), "Item { price?: u8, discount?: Option<u8> }");
    round(&shapes, vec![Item { price: 2, discount: Some(1) }, Item { price: 3, discount: None }]);
}

/// Its fields are found by their names, wherever its own code puts them.
#[test]
fn a_type_whose_fields_change_places() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Turned {
        first: u8,
        second: u8,
    }
    impl Serialize for Turned {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let mut fields = [("first", self.first), ("second", self.second)];
            fields.sort_by_key(|(_, value)| *value);
            let mut written = s.serialize_struct("Turned", 2)?;
            fields.iter().try_for_each(|(key, value)| written.serialize_field(key, value))?;
            written.end()
        }
    }
    for both in [[(1, 2), (2, 1)], [(2, 1), (1, 2)]] {
        let shapes = Shapes::new();
        for (first, second) in both {
            round(&shapes, Turned { first, second });
        }
        round(&shapes, both.map(|(first, second)| Turned { first, second }));
    }
}

/// So they are found at once when all of them are known.
#[test]
fn variants_stand_in_the_order_of_their_type() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Order {
        Placed,
        Paid,
        Sent,
    }
    let shapes = Shapes::new();
    round(&shapes, Order::Sent);
    round(&shapes, Order::Placed);
    let bytes = round(&shapes, Order::Paid);
    assert_eq!(described(&shapes, &bytes), "enum Order { Placed, Paid, Sent }");
}

/// A number that was given and not committed is given again, and to another shape.
#[test]
fn numbers_that_were_not_committed_are_given_again() {
    let shapes = Shapes::new();
    let kept = round(&shapes, vec![1u8]);
    let committed = shapes.stored(0);
    let lost = round(&shapes, Order::tea());
    assert_eq!(shapes.stored(1).len(), 1);
    let next = Shapes::load(committed.iter().map(Vec::as_slice));
    let other = round(&next, Some(1u8));
    assert_eq!((lost[0], other[0]), (33, 33));
    assert_eq!(next.decode::<Vec<u8>>(&kept), Ok(vec![1]));
}

#[test]
fn many_types_are_all_found() {
    let shapes = Shapes::new();
    macro_rules! types {
        ($($n:literal)*) => {
            $(
                let bytes = round(&shapes, [$n as u8; $n]);
                assert_eq!(round(&shapes, [$n as u8; $n]), bytes);
            )*
        };
    }
    types!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
    assert_eq!(shapes.len(), 32);
}

/// However many kinds of values a type has, it does not fill the file with shapes.
#[test]
fn shapes_of_a_type_are_limited() {
    struct Odd(u32);
    impl Serialize for Odd {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct;
            let key: &'static str = Box::leak(format!("field {}", self.0).into_boxed_str());
            let mut fields = s.serialize_struct("Odd", 1)?;
            fields.serialize_field(key, &self.0)?;
            fields.end()
        }
    }
    impl<'de> Deserialize<'de> for Odd {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            serde::de::IgnoredAny::deserialize(d).map(|_| Odd(0))
        }
    }
    let shapes = Shapes::new();
    for n in 0..2_000 {
        let bytes = encode(&shapes, &Odd(n)).expect("it is recorded");
        let view = shapes.view(&bytes).expect("it is shown").to_string();
        let name = if n < 64 {
            format!("Odd {{ field {n}: {n} }}")
        } else {
            format!("{{ \"field {n}\": {n} }}")
        };
        assert_eq!(view, name);
    }
    assert_eq!(shapes.len(), 64);
}

#[test]
fn nodes_of_a_shape_are_limited() {
    #[derive(Clone, Debug, PartialEq)]
    struct Wide(u32);
    impl Serialize for Wide {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeTuple;
            let mut tuple = s.serialize_tuple(60)?;
            (0..60).try_for_each(|place| match self.0 {
                0 => tuple.serialize_element(&place),
                depth => tuple.serialize_element(&Wide(depth - 1)),
            })?;
            tuple.end()
        }
    }
    impl<'de> Deserialize<'de> for Wide {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            serde::de::IgnoredAny::deserialize(d).map(|_| Wide(2))
        }
    }
    let shapes = Shapes::new();
    let bytes = encode(&shapes, &Wide(2)).expect("it is recorded");
    assert!(shapes.stored(0)[0].len() < 1_000 * 200);
    let view = shapes.view(&bytes).expect("it is shown").to_string();
    assert_eq!(view.matches("59").count(), 60 * 60);
    assert!(described(&shapes, &bytes).len() < 3_000);
}
