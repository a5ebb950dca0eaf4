//! Whatever is shown of a run is found when it is looked for.

use std::collections::BTreeMap;

use dacapo::store::RunKey;
use dacapo::{Ctx, Error, Executor, Secret, Workflow};
use dacapo_inspect::{Listing, Recorded, Source};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone)]
enum Way {
    Card { number: String, tries: u8 },
    Cash,
}

#[derive(Serialize, Deserialize, Clone)]
struct Order {
    customer: String,
    ways: Vec<Way>,
    sign: char,
    price: f64,
    large: u128,
    by: BTreeMap<String, bool>,
    pairs: BTreeMap<(u8, u8), Option<u8>>,
    word: Secret<String>,
    any: serde_json::Value,
}

const ORDER: Workflow<Order, Order> = Workflow::new("order");
const FAIL: Workflow<String, ()> = Workflow::new("fail");

fn executor() -> Executor {
    let fail = async |ctx: &Ctx, why: String| {
        ctx.step("hold", async move || Err::<(), _>(Error::new(why.clone()).permanent())).await
    };
    let executor = Executor::builder()
        .workflow(ORDER, async |_: &Ctx, order: Order| Ok::<_, Error>(order))
        .workflow(FAIL, fail)
        .in_memory();
    let order = Order {
        customer: "Ada \"the\\ first\"\n\u{1b}[2J, née Byron".into(),
        ways: vec![Way::Card { number: "41 11".into(), tries: 200 }, Way::Cash],
        sign: '…',
        price: -1e-300,
        large: u128::MAX,
        by: [("tea: green".to_owned(), true)].into(),
        pairs: [((1, 2), None)].into(),
        word: Secret::new("nobody sees".into()),
        any: serde_json::json!({"note": ["fragile", 7.5]}),
    };
    executor.block_on(executor.start(ORDER, "1", order).expect("it is new")).expect("it ends");
    let failing = executor.start(FAIL, "2", "card declined".into()).expect("it is new");
    executor.block_on(failing).expect_err("it fails");
    executor
}

/// The ids of those that are listed.
fn found(executor: &Executor, text: &str) -> Vec<String> {
    let listing = Listing { grep: Some(text.into()), ..Listing::default() };
    let rows = Source::new(executor).list(&listing, 10, |_| ()).expect("it is read");
    rows.into_iter().map(|row| row.id).collect()
}

#[test]
fn each_part_of_what_is_shown_is_found() {
    let executor = executor();
    let source = Source::new(&executor);
    let error = executor.history("2", 0..9).expect("it is there").entries;
    let error = error.iter().find_map(|entry| match &entry.event {
        dacapo::HistoryEvent::Finished { outcome: Err(error), .. } => Some(error.to_string()),
        _ => None,
    });
    let of = |id: &str, which| {
        let run = source.info(id).expect("it is there");
        let value = source.value(&run, which).expect("it is read").expect("it has one");
        value.json().to_owned()
    };
    for (id, text) in [
        ("1", of("1", Recorded::Input)),
        ("1", of("1", Recorded::Output)),
        ("2", of("2", Recorded::Input)),
        ("2", error.expect("it failed")),
    ] {
        let places: Vec<_> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        for (from, start) in places.iter().enumerate() {
            for end in places[from + 1..].iter().take(24) {
                let part = &text[*start..*end];
                assert!(found(&executor, part).iter().any(|one| one == id), "{part:?} of run {id}");
            }
        }
    }
}

#[test]
fn what_is_not_shown_is_not_found() {
    let executor = executor();
    for text in ["nobody sees", "is in none", "Card\":[", "\u{1b}", "41 12"] {
        assert_eq!(found(&executor, text), [""; 0], "{text:?}");
    }
}

/// What it consists of says it, without a value being shown.
#[test]
fn runs_without_the_text_are_passed_over() {
    let executor = executor();
    for (run, text, holds) in [
        (0, "née Byron", true),
        (0, "fragile", true),
        (0, "customer", true),
        (0, "Card", true),
        (0, "0", true),
        (0, "340282366920938463463374607431768211455", true),
        (0, "-1e-3", true),
        (0, "7.5", true),
        (0, "is in none", false),
        (0, "-2", false),
        // It has a text with control characters, and this may be part of what is shown of one.
        (0, "0019", true),
        // More may be said of an error than was recorded.
        (1, "is in none", true),
    ] {
        assert_eq!(executor.ends_hold(RunKey(run), 20, text).expect("it is read"), holds, "{text}");
    }
}

/// Draws values, the same for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// What JSON escapes, what looks like an escape, and what looks like no text.
    fn char(&mut self) -> char {
        let all: Vec<_> =
            "\"\\\n\r\t\u{0}\u{1b}\u{7f}\u{9b}…,:{}[]() -+.enrtu01afé🫖".chars().collect();
        all[self.below(all.len())]
    }

    fn text(&mut self) -> String {
        let words = ["true", "null", "-inf", "NaN", "(secret)", "1e5", "\\u001b"];
        match self.below(4) {
            0 => words[self.below(words.len())].to_owned(),
            _ => (0..self.below(6)).map(|_| self.char()).collect(),
        }
    }

    fn integer(&mut self) -> i128 {
        let wide = (self.below(usize::MAX) as i128) << self.below(80);
        if self.below(2) == 0 { wide } else { -wide }
    }

    fn float(&mut self) -> f64 {
        let all = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -3e-7, 1e16];
        all[self.below(all.len())]
    }

    fn bytes(&mut self) -> Raw {
        Raw((0..self.below(4)).map(|_| self.below(256) as u8).collect())
    }

    fn many<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(3)).map(|_| draw(self)).collect()
    }

    fn key(&mut self) -> Key {
        match self.below(6) {
            0 => Key::Unit,
            1 => Key::Text(self.text()),
            2 => Key::Pair(self.char(), self.integer()),
            3 => Key::Named { or: self.below(2) == 0, bytes: self.bytes() },
            4 => Key::Maybe(Some(self.text()).filter(|text| text.len() > 3)),
            _ => Key::By([(self.text(), self.char())].into()),
        }
    }

    fn json(&mut self, depth: usize) -> serde_json::Value {
        match self.below(if depth == 0 { 4 } else { 6 }) {
            0 => serde_json::Value::Null,
            1 => self.text().into(),
            2 => serde_json::json!(self.below(100_000) as i64 - 50_000),
            3 => serde_json::json!(self.below(1_000) as f64 / 8.0),
            4 => self.many(|draw| draw.json(depth - 1)).into(),
            _ => self.many(|draw| (draw.text(), draw.json(depth - 1))).into_iter().collect(),
        }
    }

    fn any(&mut self, depth: usize) -> Any {
        Any {
            text: self.text(),
            char: self.char(),
            float: self.float(),
            short: self.float() as f32,
            integer: self.integer(),
            large: u128::MAX >> self.below(128),
            bytes: self.bytes(),
            keys: self.many(Self::key),
            by_key: self.many(|draw| (draw.key(), draw.text())).into_iter().collect(),
            by_number: self.many(|draw| (draw.integer(), draw.char())).into_iter().collect(),
            secret: Secret::new("nobody sees".to_owned()),
            json: self.json(2),
            unit: (),
            inner: (depth > 0 && self.below(2) == 0).then(|| Box::new(self.any(depth - 1))),
        }
    }
}

/// Bytes, which serde has apart from lists.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Raw(Vec<u8>);

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl serde::de::Visitor<'_> for Bytes {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Raw, E> {
                Ok(Raw(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Unit,
    Text(String),
    Pair(char, i128),
    Named { or: bool, bytes: Raw },
    Maybe(Option<String>),
    By(BTreeMap<String, char>),
}

#[derive(Serialize, Deserialize, Clone)]
struct Any {
    text: String,
    char: char,
    float: f64,
    short: f32,
    integer: i128,
    large: u128,
    bytes: Raw,
    keys: Vec<Key>,
    by_key: BTreeMap<Key, String>,
    by_number: BTreeMap<i128, char>,
    secret: Secret<String>,
    json: serde_json::Value,
    unit: (),
    inner: Option<Box<Any>>,
}

const ANY: Workflow<Any, ()> = Workflow::new("any");

/// The same of values of all kinds.
#[test]
fn each_part_of_any_value_is_found() {
    for seed in 0..50 {
        let mut draw = Draw(seed);
        let executor = Executor::builder()
            .workflow(ANY, async |_: &Ctx, _: Any| Ok::<_, Error>(()))
            .in_memory();
        let run = executor.start(ANY, "1", draw.any(2)).expect("it is new");
        executor.block_on(run).expect("it ends");
        let source = Source::new(&executor).without_rehearsals();
        let run = source.info("1").expect("it is there");
        let value = source.value(&run, Recorded::Input).expect("it is read").expect("it has one");
        let places: Vec<_> = value.json().char_indices().map(|(at, _)| at).collect();
        for _ in 0..60 {
            let from = draw.below(places.len());
            let to = places.get(from + 1 + draw.below(16)).copied().unwrap_or(value.json().len());
            let part = &value.json()[places[from]..to];
            assert_eq!(found(&executor, part), ["1"], "{part:?} of seed {seed}: {}", value.json());
        }
    }
}
