//! Values and shapes that are damaged, behind the back of whoever keeps checksums over them.
//!
//! Whatever the bytes say, looking at them must not panic, must end in a time that they bound, and
//! each way to look at a value must come to the same.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use dacapo_values::{Comparison, Shapes, number_of};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    item: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voucher: Option<i32>,
    state: Vec<State>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    New,
    Paid(u64),
    Moved(u8, char),
    Sent { to: Box<Option<Order>>, after: f64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
    Order(Order),
}

/// Whatever there is, passed over.
#[derive(Debug)]
struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Skipped)
    }
}

fn order(depth: u64) -> Order {
    let to = (depth > 0).then(|| order(depth - 1));
    let sent = State::Sent { to: Box::new(to), after: 0.5 };
    let state = vec![State::New, State::Paid(1 << 40), State::Moved(1, 'ß'), sent];
    Order { id: depth << 20, item: "tea".into(), voucher: (depth > 1).then_some(-7), state }
}

/// Shapes of most kinds of nodes, and values of them.
type Recorded = (Vec<Vec<u8>>, Vec<Vec<u8>>);

fn recorded() -> Recorded {
    let shapes = Shapes::new();
    let mut values = Vec::new();
    let mut encode = |result: &dyn Fn(&mut Vec<u8>) -> Result<(), dacapo_values::Error>| {
        let mut bytes = Vec::new();
        result(&mut bytes).expect("it can be recorded");
        values.push(bytes);
    };
    encode(&|out| shapes.encode(&order(0), out));
    encode(&|out| shapes.encode(&order(2), out));
    encode(&|out| {
        shapes.encode(&vec![Id::Number(1), Id::Text("x".into()), Id::Order(order(1))], out)
    });
    encode(&|out| shapes.encode(&BTreeMap::from([("k".to_string(), (1u8, true, ()))]), out));
    encode(&|out| shapes.encode(&(i64::MIN, u128::MAX, 0.1f32, vec![(); 9]), out));
    encode(&|out| shapes.encode(&u64::MAX, out));
    (shapes.stored(0), values)
}

/// Four bytes are one change: of which, where, how, and how much.
fn damage(all: &mut [Vec<u8>], change: &[u8; 4]) {
    let [which, place, how, much] = *change;
    let count = all.len();
    let bytes = &mut all[usize::from(which) % count];
    let at = usize::from(place) % (bytes.len() + 1);
    match how % 5 {
        0 if at < bytes.len() => bytes[at] = much,
        1 if at < bytes.len() => bytes[at] ^= 1 << (much % 8),
        2 => bytes.insert(at, much),
        3 => bytes.truncate(at),
        _ => drop(bytes.drain(at..(at + usize::from(much)).min(bytes.len()))),
    }
}

/// Looks at a value in each way that there is.
fn look(shapes: &Shapes, bytes: &[u8]) {
    let view = shapes.view(bytes);
    let skipped = shapes.decode::<Skipped>(bytes);
    assert_eq!(view.is_ok(), skipped.is_ok(), "{view:?} and {skipped:?}");
    let leaves = shapes.each_leaf(bytes, &mut |_| ());
    assert_eq!(view.is_ok(), leaves.is_ok(), "{view:?} and {leaves:?}");
    if let Ok(number) = number_of(bytes) {
        let _ = shapes.describe(number);
    }
    if let Ok(view) = view {
        let _ = view.to_string();
        assert_eq!(shapes.compare(bytes, bytes), Ok(Comparison::Same));
        read::<serde_json::Value>(shapes, bytes);
    }
    read::<Order>(shapes, bytes);
    read::<Vec<Id>>(shapes, bytes);
    read::<BTreeMap<String, (u8, Option<bool>, ())>>(shapes, bytes);
    read::<(i128, u128, f64, Vec<()>)>(shapes, bytes);
    read::<u64>(shapes, bytes);
}

/// What is read can be recorded, and by place it is what it is by name.
fn read<T>(shapes: &Shapes, bytes: &[u8])
where
    T: Serialize + for<'de> Deserialize<'de> + 'static,
{
    let Ok(value) = shapes.decode::<T>(bytes) else { return };
    let (named, _) = shapes.decode_and_unread::<T>(bytes).expect("it is there by name, too");
    let (mut one, mut other) = (Vec::new(), Vec::new());
    if shapes.encode(&value, &mut one).is_ok() && shapes.encode(&named, &mut other).is_ok() {
        assert_eq!(shapes.compare(&one, &other), Ok(Comparison::Same));
    }
}

/// Damages what was recorded as `data` says, and looks at it. What follows a change of 255s is a
/// shape and a value of its own.
pub(crate) fn check(data: &[u8]) {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    let (mut stored, mut values) = RECORDED.get_or_init(recorded).clone();
    let (changes, _) = data.as_chunks::<4>();
    let end = changes.iter().position(|change| *change == [255; 4]);
    for change in changes.iter().take(end.unwrap_or(16)) {
        match change[0] % 2 {
            0 => damage(&mut stored, change),
            _ => damage(&mut values, change),
        }
    }
    if let Some(end) = end {
        let own = &data[4 * end + 4..];
        let (shape, value) = own.split_at(own.len() * 2 / 3);
        stored.push(shape.to_vec());
        values.push([&[31 + stored.len() as u8], value].concat());
    }
    let shapes = Shapes::load(stored.iter().map(Vec::as_slice));
    values.iter().for_each(|bytes| look(&shapes, bytes));
    // New values go on along whatever was loaded.
    let mut bytes = Vec::new();
    shapes.encode(&order(2), &mut bytes).expect("it can be recorded");
    assert_eq!(shapes.decode::<Order>(&bytes), Ok(order(2)));
}
