//! An export, line by line: what stands in each of them, and the sum that it is held against.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::random;

/// The first that there was. A later one is refused by this build.
pub(crate) const FORMAT: u32 = 1;

/// A JSON object in a line of its own. Fields that this build does not know are passed over.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Line<'a> {
    /// The first line.
    Export { format: u32, semantics: u32 },
    /// A shape, before the records that need it.
    Shape { number: u32, bytes: String, describes: String, sum: String },
    /// A run, before its records.
    Run(Run),
    /// A record of the run above.
    Record(Entry<'a>),
    /// The last line.
    End { lines: u64 },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) run: String,
    pub(crate) workflow: String,
    pub(crate) state: String,
    pub(crate) pass: u32,
    pub(crate) records: u64,
    #[serde(default)]
    pub(crate) attributes: Vec<(String, String)>,
    /// The parent, if it waits for this run, and is above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Parent>,
    /// The number of the store and the key that are in the idempotency keys of its steps.
    pub(crate) store: String,
    pub(crate) key: u64,
    pub(crate) sum: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Parent {
    pub(crate) run: String,
    pub(crate) task: u32,
    pub(crate) local: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Entry<'a> {
    pub(crate) run: Cow<'a, str>,
    pub(crate) seq: u64,
    pub(crate) commit: u64,
    /// Nanoseconds since 1970.
    pub(crate) time: u64,
    /// What it says, for people.
    pub(crate) shows: String,
    /// The values in it, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<serde_json::Value>,
    pub(crate) bytes: String,
    pub(crate) sum: String,
}

impl Run {
    /// Over all that an import takes from it.
    pub(crate) fn sum(&self) -> String {
        let Self { run, workflow, state, pass, records, attributes, parent, store, key, .. } = self;
        let parent = parent.as_ref().map(|it| (&it.run, it.task, it.local));
        sum(&format!(
            "{run:?}{workflow:?}{state}/{pass}/{records}{attributes:?}{parent:?}{store}/{key}"
        ))
    }
}

impl Entry<'_> {
    /// Over all that an import takes from it.
    pub(crate) fn sum(&self) -> String {
        let Self { run, seq, commit, time, bytes, .. } = self;
        sum(&format!("{run:?}{seq}/{commit}/{time}/{bytes}"))
    }
}

/// That of a shape.
pub(crate) fn shape_sum(number: u32, bytes: &str) -> String {
    sum(&format!("{number}/{bytes}"))
}

fn sum(text: &str) -> String {
    format!("{:016x}", random::words(text).fold(text.len() as u64, random::mix))
}

/// Bytes as text.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a text takes all");
    }
    text
}

/// And back; `None`: they are none.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}
