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
