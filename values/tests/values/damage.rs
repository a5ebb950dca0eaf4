//! Bytes and shapes that are not what was written: an error or a value, never a panic, and in a
//! time that the bytes bound.

use std::time::{Duration, Instant};

use dacapo_values::Shapes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::calls::Random;
use crate::ordinary::{Event, Order};
use crate::support::encode;

/// Everything that can be done with bytes.
fn look(shapes: &Shapes, bytes: &[u8]) {
    if let (Ok(view), Ok(_)) = (shapes.view(bytes), shapes.decode::<Skipped>(bytes)) {
        let _ = (view.to_string(), shapes.compare(bytes, bytes));
    }
    if let Ok((seen, is_whole)) = shapes.view_within(bytes, bytes.len() / 2) {
        // As texts: what is not a number is not equal to itself.
        let whole = shapes.view(bytes).map(|view| view.to_string());
        assert!(!is_whole || whole == Ok(seen.to_string()));
    }
    let _ = shapes.decode::<Vec<Event>>(bytes);
    let _ = shapes.decode::<(Order, Option<Box<Event>>, serde_json::Value)>(bytes);
    let _ = shapes.decode_and_unread::<Order>(bytes);
    let _ = dacapo_values::number_of(bytes).map(|number| shapes.describe(number));
}

struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(d).map(|_| Skipped)
    }
}

fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() as u64 + 1) as usize;
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.below(256) as u8),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at < bytes.len() => bytes[at] = random.below(256) as u8,
        _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => bytes.push(0xff),
    }
}

/// Seven bits a byte: the tenth byte has one left.
#[test]
fn a_number_of_more_than_64_bits() {
    let shapes = Shapes::new();
    let largest = encode(&shapes, &u64::MAX).expect("it is recorded");
    assert_eq!(largest[10], 1, "the last byte of ten, behind that of the shape");
    assert_eq!(shapes.decode::<u64>(&largest), Ok(u64::MAX));
    for last in [2, 3, 0x7f, 0x81] {
        let mut larger = largest.clone();
        larger[10] = last;
        assert!(shapes.decode::<u64>(&larger).is_err_and(|why| why.is_damaged()), "{last}");
        assert!(dacapo_values::number_of(&larger[1..]).is_err(), "{last}");
    }
}

#[test]
fn flips_and_cuts() {
    let start = Instant::now();
    let (mut sound, mut all) = (0, 0);
    for seed in 1..=8_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..10).for_each(|_| _ = random.below(2));
        let shapes = Shapes::new();
        let calls = [random.call(4), random.call(3)];
        let mut values: Vec<_> =
            calls.iter().map(|call| encode(&shapes, call).expect("it is recorded")).collect();
        values.push(encode(&shapes, &Event::all().to_vec()).expect("it is recorded"));
        values.push(encode(&shapes, &Order::tea()).expect("it is recorded"));
        let mut stored = shapes.stored(0);
        for _ in 0..random.below(3) {
            let place = random.below(stored.len() as u64) as usize;
            damage(&mut random, &mut stored[place]);
        }
        for _ in 0..random.below(4) {
            let place = random.below(values.len() as u64) as usize;
            damage(&mut random, &mut values[place]);
        }
        let shapes = Shapes::load(stored.iter().map(Vec::as_slice));
        let is_sound = |number: u32| shapes.describe(32 + number).is_ok();
        sound += (0..stored.len() as u32).filter(|number| is_sound(*number)).count();
        all += stored.len();
        values.iter().for_each(|bytes| look(&shapes, bytes));
        // Values go on along whatever was loaded.
        encode(&shapes, &vec![Event::Paid(1)]).expect("it is recorded");
        let order = encode(&shapes, &Order::tea()).expect("it is recorded");
        assert_eq!(shapes.decode::<Order>(&order), Ok(Order::tea()));
    }
    println!("{sound} of {all} shapes are sound, {:?}", start.elapsed());
    assert!(sound > all / 2 && sound < all);
}

/// A shape, by hand: its root, and for each node its kind, its name and its children.
fn shape(root: u8, nodes: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![root, nodes.len() as u8];
    for (kind, name, children) in nodes {
        bytes.extend([*kind, name.len() as u8]);
        bytes.extend(name.bytes());
        bytes.push(children.len() as u8);
        children.iter().for_each(|child| bytes.extend([0, 0, *child]));
    }
    bytes
}

const LIST: u8 = 20;
const TUPLE: u8 = 23;
const STRUCT: u8 = 24;
const UNIT: u8 = 2;

#[test]
fn shapes_that_lead_nowhere() {
    let load = |bytes: &[u8]| Shapes::load([bytes]).describe(32);
    assert_eq!(load(&shape(32, &[(LIST, "", &[12])])).expect("it is sound"), "Vec<u64>");
    for bytes in [
        shape(32, &[]),
        shape(12, &[]),
        shape(33, &[(LIST, "", &[12])]),
        shape(32, &[(LIST, "", &[33])]),
        shape(32, &[(LIST, "", &[20])]),
        shape(32, &[(LIST, "", &[])]),
        shape(32, &[(LIST, "", &[12, 12])]),
        shape(32, &[(12, "", &[])]),
        shape(32, &[(22, "", &[1])]),
        shape(32, &[(27, "", &[])]),
        shape(32, &[(TUPLE, "", &[12; 65])]),
        [shape(32, &[(LIST, "", &[12])]), vec![0]].concat(),
        vec![32, 1, LIST, 1, 0xff, 1, 0, 0, 12],
        vec![0xff; 20],
        vec![],
    ] {
        let error = load(&bytes).expect_err("it is not sound");
        assert!(error.is_damaged(), "{bytes:?}");
        assert_eq!(error.to_string(), "shape 0 of the file is damaged");
    }
}

/// It keeps its number, and whatever does not need it goes on.
#[test]
fn one_shape_of_several() {
    let shapes = Shapes::new();
    let order = encode(&shapes, &Order::tea()).expect("it is recorded");
    let event = encode(&shapes, &Event::Paid(1)).expect("it is recorded");
    let stored = shapes.stored(0);
    for damaged in [&stored[0][1..], &[]] {
        let shapes = Shapes::load([damaged, &stored[1]]);
        assert_eq!(shapes.decode::<Event>(&event), Ok(Event::Paid(1)));
        let errors = [
            shapes.decode::<Order>(&order).expect_err("its shape is damaged"),
            shapes.decode_and_unread::<Order>(&order).expect_err("its shape is damaged"),
            shapes.view(&order).expect_err("its shape is damaged"),
            shapes.compare(&order, &order).expect_err("its shape is damaged"),
            shapes.detach(&order).expect_err("its shape is damaged"),
        ];
        for error in errors {
            assert!(error.is_damaged());
            assert_eq!(error.to_string(), "shape 0 of the file is damaged");
        }
        // A type whose shape it was gets another one.
        let again = encode(&shapes, &Order::tea()).expect("it is recorded");
        assert_eq!((again[0], &again[1..], shapes.len()), (34, &order[1..], 3));
        assert_eq!(shapes.decode::<Order>(&again), Ok(Order::tea()));
        assert_eq!(encode(&shapes, &Event::Paid(2)).expect("it is recorded")[0], event[0]);
    }
}

/// What would take for ever if only its bytes were counted.
#[test]
fn shapes_that_lead_in_circles() {
    let start = Instant::now();
    let twice: Vec<(u8, &str, [u8; 2])> = (33..96).map(|next| (TUPLE, "", [next; 2])).collect();
    let doubling = |kind: u8, last: u8| {
        let mut nodes: Vec<(u8, &str, &[u8])> =
            twice.iter().map(|(_, name, children)| (kind, *name, &children[..])).collect();
        let end = [last; 2];
        nodes.push((kind, "", &end));
        shape(32, &nodes)
    };
    for (bytes, value) in [
        // 2^64 units, 2^64 structs with nothing in them, a tuple and a list of itself.
        (doubling(TUPLE, UNIT), vec![32]),
        (doubling(STRUCT, UNIT), vec![32]),
        (shape(32, &[(TUPLE, "", &[32, 32])]), vec![32]),
        (shape(32, &[(STRUCT, "A", &[32])]), vec![32]),
        (shape(32, &[(LIST, "", &[32])]), [&[32][..], &[1; 200]].concat()),
        // 2^63 units, and as many lists of them.
        (shape(32, &[(LIST, "", &[UNIT])]), [&[32][..], &[0xff; 8], &[0x7f]].concat()),
        (
            shape(32, &[(LIST, "", &[33]), (LIST, "", &[UNIT])]),
            [&[32, 100][..], &[0xff, 0xff, 0x7f].repeat(100)].concat(),
        ),
    ] {
        let shapes = Shapes::load([&bytes[..]]);
        assert!(shapes.view(&value).expect_err("it has no end").is_damaged());
        assert!(shapes.decode::<Skipped>(&value).is_err());
        assert!(shapes.describe(32).expect("it is shown").len() < 10_000);
        look(&shapes, &value);
        // Nor does a value that finds such a shape.
        encode(&shapes, &(((1u8, 2u8), 3u8), vec![vec![Vec::<()>::new()]])).expect("recorded");
        encode(&shapes, &vec![vec![Vec::<()>::new()]]).expect("recorded");
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
