//! The outcomes of steps, whose type is another one in each build: fields are added, removed, renamed and
//! reordered, as in deployments. Each build reads what any other has written.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

thread_local! {
    /// Which build the process on this thread is of.
    static BUILD: Cell<u64> = const { Cell::new(0) };
}

/// The process that opens a store next on this thread is of this build.
pub(super) fn set_build(seed: u64) {
    BUILD.set(seed % BUILDS);
}

const BUILDS: u64 = 4;

/// A number.
#[derive(Clone, Copy)]
pub(super) struct Shaped(pub(super) u64);

#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(alias = "number", alias = "amount")]
    value: u64,
}

/// Fields were added, before the one that counts, too.
#[derive(Serialize, Deserialize)]
struct Added {
    #[serde(default)]
    note: String,
    #[serde(alias = "number", alias = "amount")]
    value: u64,
    #[serde(default)]
    more: Option<Box<Plain>>,
}

/// It was renamed, and others came.
#[derive(Serialize, Deserialize)]
struct Renamed {
    #[serde(default)]
    sizes: BTreeMap<String, u32>,
    #[serde(alias = "value", alias = "amount")]
    number: u64,
}

/// It went to a part of its own, which stands among the fields of the whole.
#[derive(Serialize, Deserialize)]
struct Flat {
    #[serde(default)]
    kind: Option<u8>,
    #[serde(flatten)]
    part: Part,
}

#[derive(Serialize, Deserialize)]
struct Part {
    #[serde(alias = "value", alias = "number")]
    amount: u64,
}

impl Serialize for Shaped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        match BUILD.get() {
            0 => Plain { value }.serialize(serializer),
            1 => {
                // What a value holds is not the same each time, and so its shape grows.
                let more = value.is_multiple_of(3).then(|| Box::new(Plain { value: 7 }));
                Added { note: "new".into(), value, more }.serialize(serializer)
            }
            2 => {
                let sizes = [("all".into(), value as u32)].into();
                Renamed { sizes, number: value }.serialize(serializer)
            }
            _ => {
                let kind = value.is_multiple_of(2).then_some(1);
                Flat { kind, part: Part { amount: value } }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match BUILD.get() {
            0 => Plain::deserialize(deserializer)?.value,
            1 => Added::deserialize(deserializer)?.value,
            2 => Renamed::deserialize(deserializer)?.number,
            _ => Flat::deserialize(deserializer)?.part.amount,
        };
        Ok(Self(value))
    }
}
