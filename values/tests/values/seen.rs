//! How much of a value is seen: secrets never, and of a long one no more than is asked for.

use dacapo_values::{Comparison, Secret, Shapes, View};
use serde::{Deserialize, Serialize};

use crate::support::{encode, round, shown};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Card {
    owner: String,
    number: Secret<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Paid {
    Card(Card),
    Token { token: Secret<u64> },
}

fn card() -> Card {
    Card { owner: "ada".into(), number: Secret::new("4111".into()) }
}

fn seen<T: Serialize + for<'de> Deserialize<'de> + 'static>(value: &T, limit: usize) -> String {
    let shapes = Shapes::new();
    let bytes = encode(&shapes, value).expect("it is plain data");
    let (view, is_whole) = shapes.view_within(&bytes, limit).expect("it is shown");
    let is_marked = ["…", "(secret)"].iter().any(|mark| view.to_string().contains(mark));
    assert!(is_whole || is_marked, "what is cut is marked: {view}");
    assert_eq!(
        shapes.detach(&bytes).expect("it has a shape").view_within(limit),
        Ok((view.clone(), is_whole))
    );
    view.to_string()
}

#[test]
fn a_secret_is_hidden_wherever_it_stands() {
    assert_eq!(shown(card()), r#"Card { owner: "ada", number: (secret) }"#);
    assert_eq!(shown(vec![Some(Secret::new(7u8)), None]), "[Some((secret)), None]");
    assert_eq!(shown((Secret::new(card()), 1u8)), "((secret), 1)");
    // Values that describe themselves have no names of structs.
    let values = vec![Paid::Card(card()), Paid::Token { token: Secret::new(4111) }];
    let text = shown(values);
    assert!(!text.contains("4111") && text.matches("(secret)").count() == 2, "{text}");
    let flat = serde_json::json!([{ "number": { "(secret)": 4111 } }]);
    assert_eq!(shown(flat), r#"[{ "number": (secret) }]"#);
}

#[test]
fn a_secret_is_hidden_in_json() {
    let shapes = Shapes::new();
    let bytes = round(&shapes, card());
    let json = serde_json::to_string(&shapes.view(&bytes).expect("it is shown"));
    assert_eq!(json.expect("it is JSON"), r#"{"owner":"ada","number":"(secret)"}"#);
}

#[test]
fn secrets_are_compared() {
    let shapes = Shapes::new();
    let [one, other] = [7u8, 8].map(|n| encode(&shapes, &Secret::new(n)).expect("plain data"));
    assert_eq!(shapes.compare(&one, &one), Ok(Comparison::Same));
    assert_eq!(shapes.compare(&one, &other), Ok(Comparison::Different));
}

#[test]
fn no_more_is_seen_than_is_asked_for() {
    let long = (vec!["tea".to_string(); 1_000], "ä".repeat(1_000));
    for limit in 1..40 {
        let text = seen(&long, limit);
        assert!(text.len() < 60 + 4 * limit, "{limit}: {text}");
    }
    assert_eq!(seen(&vec![(); 500_000], 4), "[(), …]");
    assert_eq!(seen(&"äöü".to_string(), 4), "\"ä…\"");
    assert_eq!(seen(&card(), 4), r#"Card { owner: "ada", …: … }"#);
    assert_eq!(seen(&card(), 5), r#"Card { owner: "ada", number: (secret) }"#);
    assert_eq!(seen(&card(), 100), r#"Card { owner: "ada", number: (secret) }"#);
}

/// A count that is damaged leads nowhere.
#[test]
fn damage_behind_what_is_seen_is_not_looked_at() {
    let shapes = Shapes::new();
    let mut bytes = encode(&shapes, &vec![1u64; 100]).expect("plain data");
    bytes.pop();
    assert!(shapes.view(&bytes).expect_err("it is damaged").is_damaged());
    let (view, is_whole) = shapes.view_within(&bytes, 2).expect("it begins well");
    assert_eq!((view, is_whole), (View::List(vec![View::Integer(1), View::More]), false));
}
