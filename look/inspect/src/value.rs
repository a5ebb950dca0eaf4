//! Recorded values, as far as they are shown.

use dacapo::HistoryValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json;
use crate::rehearsed::Rehearsed;

/// A recorded value, as far as it is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Value {
    /// It as JSON; `null` if it cannot be read.
    pub value: Box<RawValue>,
    /// How many bytes it takes in the file.
    pub bytes: usize,
    /// Whether all of it is here. If not, "…" stands for the rest.
    pub whole: bool,
    /// Why it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl Value {
    /// So many of its bytes are shown where nobody asks for more.
    pub const SHORT: usize = 2 << 10;

    pub(crate) fn new(recorded: &HistoryValue, limit: usize) -> Self {
        let bytes = recorded.size();
        match recorded.view(limit) {
            Ok((view, whole)) => {
                let mut text = String::new();
                json::append(&view, &mut text);
                Self { value: raw(text), bytes, whole, unreadable: None }
            }
            Err(why) => {
                Self { value: raw("null".into()), bytes, whole: false, unreadable: Some(why) }
            }
        }
    }

    /// The same, as its type shows it if that is known and does not show more than `limit` bytes.
    pub(crate) fn typed(recorded: &HistoryValue, limit: usize, by: &Rehearsed) -> Self {
        match by.text(recorded).filter(|text| text.len() <= limit) {
            Some(text) => {
                Self { value: raw(text), bytes: recorded.size(), whole: true, unreadable: None }
            }
            None => Self::new(recorded, limit),
        }
    }

    /// It as JSON, on one line.
    #[must_use]
    pub fn json(&self) -> &str {
        self.value.get()
    }
}

/// Appends a recorded value as JSON, as far as its first `limit` bytes go; `null` if it cannot be read.
pub(crate) fn append(recorded: &HistoryValue, limit: usize, out: &mut String) {
    match recorded.view(limit) {
        Ok((view, _)) => json::append(&view, out),
        Err(_) => out.push_str("null"),
    }
}

fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("what is appended is JSON")
}
