//! Any sequence of calls of a serializer comes back as it was, whatever the shape was before.

use std::fmt::Write;
use std::mem;

use dacapo_values::{Shapes, View};
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleVariant, Serializer,
};

use crate::support::{encode, restarted};

/// So many values are written: some seconds without optimizations.
const VALUES: u64 = 100_000;

/// Calls, one inside of the other.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Unit,
    Bool(bool),
    U8(u8),
    U64(u64),
    I64(i64),
    I128(i128),
    F64(f64),
    Char(char),
    Str(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Call>),
    Newtype(Box<Call>),
    Seq(Vec<Call>),
    Unsized(Vec<Call>),
    Tuple(Vec<Call>),
    Map(bool, Vec<(Call, Call)>),
    Struct(&'static str, Vec<(&'static str, Call)>),
    UnitVariant(&'static str, u32),
    NewtypeVariant(&'static str, u32, Box<Call>),
    TupleVariant(&'static str, u32, Vec<Call>),
    StructVariant(&'static str, u32, Vec<(&'static str, Call)>),
}
pub(crate) use Call::*;

const NAMES: [&str; 4] = ["Order", "Price", "Event", "Tree"];
const FIELDS: [&str; 5] = ["id", "cents", "left", "right", "note"];
const VARIANTS: [&str; 4] = ["New", "Paid", "Sent", "Done"];

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let variant = |index: &u32| VARIANTS[*index as usize];
        match self {
            Unit => s.serialize_unit(),
            Bool(value) => s.serialize_bool(*value),
            U8(value) => s.serialize_u8(*value),
            U64(value) => s.serialize_u64(*value),
            I64(value) => s.serialize_i64(*value),
            I128(value) => s.serialize_i128(*value),
            F64(value) => s.serialize_f64(*value),
            Char(value) => s.serialize_char(*value),
            Str(value) => s.serialize_str(value),
            Bytes(value) => s.serialize_bytes(value),
            None => s.serialize_none(),
            Some(value) => s.serialize_some(value),
            Newtype(value) => s.serialize_newtype_struct("N", value),
            Seq(list) => {
                let mut seq = s.serialize_seq(Option::Some(list.len()))?;
                list.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Unsized(list) => {
                let mut seq = s.serialize_seq(Option::None)?;
                list.iter().try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Tuple(list) => {
                let mut tuple = s.serialize_tuple(list.len())?;
                list.iter().try_for_each(|value| tuple.serialize_element(value))?;
                tuple.end()
            }
            Map(is_sized, pairs) => {
                let mut map = s.serialize_map(is_sized.then_some(pairs.len()))?;
                pairs.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Struct(name, fields) => {
                let mut st = s.serialize_struct(name, fields.len())?;
                fields.iter().try_for_each(|(key, value)| st.serialize_field(key, value))?;
                st.end()
            }
            UnitVariant(name, index) => s.serialize_unit_variant(name, *index, variant(index)),
            NewtypeVariant(name, index, value) => {
                s.serialize_newtype_variant(name, *index, variant(index), value)
            }
            TupleVariant(name, index, list) => {
                let mut tuple =
                    s.serialize_tuple_variant(name, *index, variant(index), list.len())?;
                list.iter().try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            StructVariant(name, index, fields) => {
                let mut st =
                    s.serialize_struct_variant(name, *index, variant(index), fields.len())?;
                fields.iter().try_for_each(|(key, value)| st.serialize_field(key, value))?;
                st.end()
            }
        }
    }
}

/// Reads whatever was recorded, without looking.
impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(d).map(|_| Unit)
    }
}

/// What was called, without what a shape may leave out: that structs and variants are no maps, and
/// tuples no lists.
fn plain(call: &Call) -> String {
    let under = |index: &u32, held: String| match held.as_str() {
        "()" => VARIANTS[*index as usize].to_string(),
        _ => format!("{}({held})", VARIANTS[*index as usize]),
    };
    match call {
        Unit => "()".into(),
        None => "None".into(),
        Bool(value) => value.to_string(),
        U8(value) => value.to_string(),
        U64(value) => value.to_string(),
        I64(value) => value.to_string(),
        I128(value) => value.to_string(),
        F64(value) => format!("{value:?}"),
        Char(value) => format!("{value:?}"),
        Str(value) => format!("{value:?}"),
        Bytes(value) => format!("b\"{}\"", value.escape_ascii()),
        Some(value) => format!("Some({})", plain(value)),
        Newtype(value) => plain(value),
        Seq(calls) | Unsized(calls) | Tuple(calls) => list(calls.iter().map(plain)),
        Map(_, pairs) => map(pairs.iter().map(|(key, value)| (plain(key), plain(value)))),
        Struct(_, fields) => structure(fields),
        UnitVariant(_, index) => under(index, "()".into()),
        NewtypeVariant(_, index, value) => under(index, plain(value)),
        TupleVariant(_, index, calls) => under(index, list(calls.iter().map(plain))),
        StructVariant(_, index, fields) => under(index, structure(fields)),
    }
}

fn structure(fields: &[(&'static str, Call)]) -> String {
    map(fields.iter().map(|(key, value)| (format!("{key:?}"), plain(value))))
}

fn list(parts: impl Iterator<Item = String>) -> String {
    format!("[{}]", parts.collect::<Vec<_>>().join(", "))
}

fn map(entries: impl Iterator<Item = (String, String)>) -> String {
    let mut text = String::from("{");
    for (key, value) in entries {
        write!(text, "{key}: {value}, ").expect("a string takes it");
    }
    text + "}"
}

/// The same of what is shown without a type.
fn plain_view(view: &View) -> String {
    match view {
        View::Some(held) => format!("Some({})", plain_view(held)),
        View::List(parts) | View::Tuple(parts) => list(parts.iter().map(plain_view)),
        View::Map(entries) => map(entries.iter().map(|(k, v)| (plain_view(k), plain_view(v)))),
        View::Struct(_, fields) => {
            map(fields.iter().map(|(key, value)| (format!("{key:?}"), plain_view(value))))
        }
        View::Variant(name, held) if **held == View::Unit => name.clone(),
        View::Variant(name, held) => format!("{name}({})", plain_view(held)),
        view => view.to_string(),
    }
}

pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn calls(&mut self, depth: u64) -> Vec<Call> {
        (0..self.below(4)).map(|_| self.call(depth)).collect()
    }

    pub(crate) fn fields(&mut self, depth: u64) -> Vec<(&'static str, Call)> {
        let mut fields = Vec::new();
        for field in FIELDS {
            if self.below(2) == 0 {
                fields.push((field, self.call(depth)));
            }
        }
        if self.below(4) == 0 {
            fields.reverse();
        }
        fields
    }

    pub(crate) fn call(&mut self, depth: u64) -> Call {
        let kinds = if depth == 0 { 12 } else { 25 };
        let depth = depth.saturating_sub(1);
        let (name, index) = (self.pick(&NAMES), self.below(4) as u32);
        match self.below(kinds) {
            0 => Unit,
            1 => Bool(self.below(2) == 0),
            2 => U8(self.below(256) as u8),
            3 => U64(self.below(u64::MAX) >> self.below(64)),
            4 => I64(-((self.below(u64::MAX) >> 1 >> self.below(63)) as i64)),
            5 => I128(-(i128::from(self.below(u64::MAX)) << self.below(60))),
            6 => F64(self.below(1_000) as f64 / 8.0),
            7 => Char(char::from_u32(self.below(0xd800) as u32).expect("below the surrogates")),
            8 => Str("text".repeat(self.below(50) as usize)),
            9 => Bytes(vec![7; self.below(200) as usize]),
            10 => None,
            11 => UnitVariant(name, index),
            12 => Some(Box::new(self.call(depth))),
            13 => Newtype(Box::new(self.call(depth))),
            14 => Seq(self.calls(depth)),
            15 => Unsized(self.calls(depth)),
            16 => Tuple(self.calls(depth)),
            17 => {
                let pairs =
                    self.calls(depth).into_iter().map(|key| (key, self.call(depth))).collect();
                Map(self.below(2) == 0, pairs)
            }
            18..21 => Struct(name, self.fields(depth)),
            21 => NewtypeVariant(name, index, Box::new(self.call(depth))),
            22 => TupleVariant(name, index, self.calls(depth)),
            _ => StructVariant(name, index, self.fields(depth)),
        }
    }

    /// The same with something changed here or there.
    pub(crate) fn change(&mut self, call: &mut Call) -> bool {
        if self.below(8) == 0 {
            *call = self.call(2);
            return true;
        }
        match call {
            U64(value) => *value = self.below(u64::MAX),
            Some(value) | Newtype(value) | NewtypeVariant(_, _, value) => _ = self.change(value),
            Seq(calls) | Unsized(calls) | Tuple(calls) | TupleVariant(_, _, calls) => {
                calls.iter_mut().for_each(|call| _ = self.change(call));
                if self.below(4) == 0 {
                    calls.extend(calls.first().cloned());
                }
            }
            Map(_, pairs) => pairs.iter_mut().for_each(|(key, value)| {
                self.change(key);
                self.change(value);
            }),
            Struct(_, fields) | StructVariant(_, _, fields) => {
                fields.iter_mut().for_each(|(_, value)| _ = self.change(value));
                match self.below(6) {
                    0 => drop(fields.pop()),
                    1 => fields.reverse(),
                    _ => {}
                }
            }
            _ => {}
        }
        true
    }

    /// The same with something changed; in every second seed it stays of one kind at its root.
    fn like(&mut self, base: &Call, seed: u64) -> Call {
        loop {
            let mut call = base.clone();
            self.change(&mut call);
            if seed % 2 == 1 || mem::discriminant(&call) == mem::discriminant(base) {
                return call;
            }
        }
    }
}

/// Values of one type whose shape grows with nearly each, read at the end by every process.
#[test]
fn whatever_is_written_is_read() {
    let (mut written, mut made, mut described_themselves) = (0, 0, 0);
    for seed in 1..=VALUES / 20 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..10).for_each(|_| _ = random.below(2));
        let base = random.call(4);
        let mut shapes = Shapes::new();
        let mut all = Vec::new();
        for _ in 0..20 {
            let call = random.like(&base, seed);
            let bytes =
                encode(&shapes, &call).unwrap_or_else(|why| panic!("seed {seed}: {call:?}: {why}"));
            described_themselves += usize::from(bytes[0] == 1);
            all.push((plain(&call), bytes));
            if random.below(8) == 0 {
                shapes = restarted(&shapes);
            }
        }
        (written, made) = (written + all.len(), made + shapes.len());
        for shapes in [&shapes, &restarted(&shapes)] {
            for (call, bytes) in &all {
                let view = shapes.view(bytes).unwrap_or_else(|why| panic!("{seed}: {call}: {why}"));
                assert_eq!(plain_view(&view), *call, "seed {seed}");
                shapes.decode::<Call>(bytes).expect("it is passed over");
            }
        }
    }
    println!("{written} values, {made} shapes, {described_themselves} values described themselves");
    assert!(made * 4 > written / 20, "shapes grow: {made}");
}
