//! Orders, and the file that they are read from.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

const OURS: &str = include_str!("../orders.json");

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) skus: Vec<String>,
    pub(crate) cents: u64,
    /// What will come of asking a person.
    #[serde(default)]
    pub(crate) approval: Answer,
    /// The step whose first attempt will fail.
    #[serde(default)]
    pub(crate) glitch: Option<String>,
}

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    #[default]
    Granted,
    Denied(String),
    /// The customer cancels the order meanwhile.
    Cancelled,
    /// The desk is empty, for days.
    Nobody,
}

/// Reads the file, or those that come with the example.
pub(crate) fn read(file: Option<&Path>) -> Result<Vec<Order>, String> {
    let Some(file) = file else { return check(OURS) };
    let text = std::fs::read_to_string(file).map_err(|why| why.to_string());
    text.and_then(|text| check(&text)).map_err(|why| format!("{}: {why}", file.display()))
}

fn check(text: &str) -> Result<Vec<Order>, String> {
    let orders: Vec<Order> = serde_json::from_str(text).map_err(|why| why.to_string())?;
    let mut ids = HashSet::new();
    for order in &orders {
        if order.id.is_empty() || order.id.contains(['\t', '\n']) || !ids.insert(&order.id) {
            return Err(format!("the order id {:?} is empty, has a tab, or comes twice", order.id));
        }
    }
    Ok(orders)
}
