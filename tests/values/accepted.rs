//! What other engines park, lose, or give back as another value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::check_kept;

#[test]
fn json_of_any_kind() {
    let charge = json!({ "id": "ch_7", "cents": 250, "paid": true, "fee": null, "rate": 0.5 });
    for value in [json!(null), json!(7), json!("seven"), json!([1, "two", null]), charge] {
        check_kept(value);
    }
    check_kept(BTreeMap::from([("a".to_owned(), json!({ "deep": [[]] }))]));
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Point { x: u8, y: u8 },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    Card { last4: String },
    Cash,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    Pair(u8, String),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    more: BTreeMap<String, u32>,
}

#[test]
fn every_form_of_an_enum() {
    check_kept(vec![
        Untagged::Text("tea".into()),
        Untagged::Number(-3),
        Untagged::Point { x: 1, y: 2 },
    ]);
    check_kept(vec![Tagged::Cash, Tagged::Card { last4: "4242".into() }]);
    check_kept(vec![Adjacent::Pair(1, "one".into()), Adjacent::Unit]);
}

#[test]
fn flattened_fields() {
    check_kept(Flat { id: 7, more: BTreeMap::from([("a".into(), 1), ("b".into(), 2)]) });
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Line {
    sku: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    count: u32,
}

#[test]
fn fields_that_are_left_out_in_a_list() {
    let line =
        |note: Option<&str>, count| Line { sku: "tea".into(), note: note.map(Into::into), count };
    check_kept(vec![line(None, 1), line(Some("hot"), 2), line(None, 3)]);
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
enum Payment {
    Open,
    #[serde(skip)]
    #[allow(dead_code, reason = "nothing of it is ever written")]
    Internal,
    Paid,
    Refunded,
}

#[test]
fn an_enum_with_a_variant_that_is_skipped() {
    for payment in [Payment::Open, Payment::Paid, Payment::Refunded] {
        check_kept(payment);
    }
    check_kept([Payment::Paid, Payment::Refunded]);
}
