//! Random values of types with most of serde's attributes, read back as what they are.

use std::collections::{BTreeMap, BTreeSet};

use dacapo_values::Shapes;
use serde::{Deserialize, Serialize};

use crate::calls::Random;
use crate::support::{encode, restarted};

const VALUES: usize = 20_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Basket {
    customer: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voucher: Option<u64>,
    reply: Option<Reply>,
    by_key: BTreeMap<Key, Id>,
    note: Option<Note>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
    #[serde(flatten)]
    more: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    sku: (u8, u32),
    cents: i64,
    tags: BTreeSet<String>,
    inner: Option<Box<Basket>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    None,
    Number(i16),
    Pair(u64, char),
    Named { first: Option<bool>, last: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
    Both { number: u64, text: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Reply {
    Paid { cents: u64 },
    Declined { why: String, baskets: Vec<Basket> },
    Nothing,
}

impl Random {
    fn text(&mut self) -> String {
        "äbc".chars().cycle().take(self.below(6) as usize).collect()
    }

    fn many<T>(&mut self, depth: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(depth.min(3) + 1)).map(|_| one(self)).collect()
    }

    fn maybe<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| one(self))
    }

    fn basket(&mut self, depth: u64) -> Basket {
        Basket {
            customer: self.text(),
            lines: self.many(depth, |random| random.line(depth - 1)),
            voucher: self.maybe(|random| random.below(1 << 40)),
            reply: self.maybe(|random| random.reply(depth)),
            by_key: self.many(3, |random| (random.key(), random.id())).into_iter().collect(),
            note: self.maybe(Self::note),
        }
    }

    fn note(&mut self) -> Note {
        let more = self.many(2, |random| (random.text() + "more", -(random.below(9) as i64)));
        Note { text: self.text(), more: more.into_iter().collect() }
    }

    fn line(&mut self, depth: u64) -> Line {
        Line {
            sku: (self.below(256) as u8, self.below(1 << 20) as u32),
            cents: self.below(1 << 50) as i64 - (1 << 49),
            tags: self.many(3, Self::text).into_iter().collect(),
            inner: match depth {
                0 => None,
                _ => self.maybe(|random| Box::new(random.basket(depth - 1))),
            },
        }
    }

    fn key(&mut self) -> Key {
        match self.below(4) {
            0 => Key::None,
            1 => Key::Number(self.below(1 << 16) as i16),
            2 => Key::Pair(self.below(9), 'x'),
            _ => Key::Named { first: self.maybe(|random| random.below(2) == 0), last: self.text() },
        }
    }

    fn id(&mut self) -> Id {
        match self.below(3) {
            0 => Id::Number(self.below(u64::MAX)),
            1 => Id::Text(self.text()),
            _ => Id::Both { number: self.below(300), text: self.text() },
        }
    }

    fn reply(&mut self, depth: u64) -> Reply {
        match self.below(3) {
            0 => Reply::Paid { cents: self.below(1 << 30) },
            1 => {
                let baskets = self.many(depth.min(1), |random| random.basket(depth - 1));
                Reply::Declined { why: self.text(), baskets }
            }
            _ => Reply::Nothing,
        }
    }
}

/// Of each process, all values that were written before are read, too.
#[test]
fn whatever_is_written_is_read_as_its_type() {
    let (mut written, mut most_shapes) = (0, 0);
    for seed in 1..=(VALUES / 50) as u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut shapes = Shapes::new();
        let mut all = Vec::new();
        for _ in 0..50 {
            let value = random.basket(3);
            let bytes = encode(&shapes, &value).unwrap_or_else(|why| panic!("{seed}: {why}"));
            all.push((value, bytes));
            if random.below(10) == 0 {
                shapes = restarted(&shapes);
            }
        }
        for (value, bytes) in &all {
            assert_eq!(shapes.decode::<Basket>(bytes).as_ref(), Ok(value), "seed {seed}");
            let (named, unread) = shapes.decode_and_unread::<Basket>(bytes).expect("by name");
            assert_eq!((&named, unread), (value, vec![]), "seed {seed}");
        }
        written += all.len();
        most_shapes = most_shapes.max(shapes.len());
    }
    println!("{written} values, at most {most_shapes} shapes");
    assert!(most_shapes < 20, "a restart adds none: {most_shapes}");
}
