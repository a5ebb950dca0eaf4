//! What do the bytes of a value cost, to be written and to be read, beside postcard's?
//!
//! `cargo bench -p dacapo-values`
//!
//! The least of many rounds, in nanoseconds a value: a shared machine makes some of them slow. Both
//! write to a buffer that has room.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hint::black_box;
use std::time::{Duration, Instant};

use dacapo_values::Shapes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const ROUNDS: u32 = 60;
const ROUND: Duration = Duration::from_millis(2);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Small {
    order: u64,
    cents: u32,
    attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Created,
    Paid { cents: u64 },
    Sent(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    sku: u32,
    count: u16,
    cents: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Basket {
    customer: String,
    lines: Vec<Line>,
    note: Option<String>,
    paid: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Loose {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    voucher: Option<u64>,
    order: u64,
    cents: u32,
}

fn main() {
    println!("{:24} {:>20} {:>16} {:>23}", "", "values", "by name", "postcard");
    println!("{:24}  bytes  write   read             read    bytes  write   read", "");
    row("u64", 123_456u64);
    row("String of 12", "pay-7f3a9c21".to_string());
    row("struct of 3 integers", Small { order: 123_456, cents: 99_900, attempts: 2 });
    row("enum, fields", Event::Paid { cents: 99_900 });
    row("enum, none", Event::Created);
    row("enum, text", Event::Sent("green tea".into()));
    let line = |n: u32| Line { sku: 10_000 + n, count: n as u16 % 7, cents: 1_000 + 37 * n as u64 };
    let lines: Vec<_> = (0..100).map(line).collect();
    row("Vec of 100 structs", lines.clone());
    row("struct around it", Basket { customer: "ada".into(), lines, note: None, paid: true });
    let map = (0..12u64).map(|n| (format!("item {n}"), n));
    row("HashMap of 12", map.collect::<HashMap<String, u64>>());
    row("skip_serializing_if", Loose { voucher: None, order: 123_456, cents: 99_900 });
    row("JSON", serde_json::json!({ "id": 7, "list": [1, "x", null], "name": "green tea" }));
}

fn row<T: Serialize + DeserializeOwned + PartialEq + Debug + 'static>(name: &str, value: T) {
    let shapes = Shapes::new();
    let mut buffer = Vec::with_capacity(1 << 16);
    shapes.encode(&value, &mut buffer).expect("it can be recorded");
    let bytes = buffer.clone();
    assert_eq!(shapes.decode::<T>(&bytes).expect("it is read back"), value);
    let write = time(|| {
        buffer.clear();
        shapes.encode(black_box(&value), &mut buffer).expect("it can be recorded");
        black_box(&buffer);
    });
    let read = time(|| drop(black_box(shapes.decode::<T>(black_box(&bytes)))));
    let named = time(|| drop(black_box(shapes.decode_and_unread::<T>(black_box(&bytes)))));
    print!("{name:24} {:6} {write:6.0} {read:6.0} {named:16.0}", bytes.len());

    let write = time(|| {
        buffer.clear();
        buffer = postcard::to_extend(black_box(&value), std::mem::take(&mut buffer))
            .expect("it can be written");
        black_box(&buffer);
    });
    print!(" {:8} {write:6.0}", buffer.len());
    match postcard::from_bytes::<T>(&buffer) {
        Ok(_) => println!(
            " {:6.0}",
            time(|| drop(black_box(postcard::from_bytes::<T>(black_box(&buffer)))))
        ),
        Err(_) => println!(" {:>6}", "never"),
    }
}

/// Nanoseconds a call.
fn time(mut call: impl FnMut()) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND {
        call();
        calls += 1;
    }
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed()
    });
    let best = rounds.min().expect("there is a round");
    best.as_nanos() as f64 / f64::from(calls)
}
