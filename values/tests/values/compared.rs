//! Values are compared by what they hold.

use std::collections::{BTreeMap, HashMap, HashSet};

use dacapo_values::Comparison::{Different, Reordered, Same};
use dacapo_values::{Comparison, Shapes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::support::encode;

#[track_caller]
fn check<A, B>(one: A, other: B, comparison: Comparison)
where
    A: Serialize + DeserializeOwned + 'static,
    B: Serialize + DeserializeOwned + 'static,
{
    let shapes = Shapes::new();
    let one = encode(&shapes, &one).expect("it is recorded");
    let other = encode(&shapes, &other).expect("it is recorded");
    assert_eq!(shapes.compare(&one, &other), Ok(comparison));
    assert_eq!(shapes.compare(&other, &one), Ok(comparison));
}

fn map() -> HashMap<String, Vec<u64>> {
    (0..12u64).map(|n| (format!("item {n}"), vec![n])).collect()
}

#[test]
fn maps_by_their_keys() {
    check(map(), map(), Same);
    check((1u8, Some(map())), (1u8, Some(map())), Same);
    let mut less = map();
    less.remove("item 3");
    check(map(), less, Different);
    let mut other = map();
    other.insert("item 3".into(), vec![4]);
    check(map(), other, Different);
}

#[test]
fn sets_as_lists_in_another_order() {
    let set = || (0..20u64).collect::<HashSet<_>>();
    check(set(), set(), Reordered);
    check((set(), 1u8), (set(), 2u8), Different);
    check(vec![1u8, 2], vec![2u8, 1], Reordered);
    check(vec![1u8, 2], vec![1u8, 2, 2], Different);
    check((1u8, 2u8), (2u8, 1u8), Different);
    check(vec![vec![1u8], vec![2, 3]], vec![vec![3u8, 2], vec![1]], Reordered);
}

#[test]
fn whatever_shape_they_have() {
    let json = |text| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    check(BTreeMap::from([("a", 1u8)].map(|(k, v)| (k.to_string(), v))), json(r#"{"a":1}"#), Same);
    check(json(r#"{"a":[1,2],"b":null}"#), json(r#"{"b":null,"a":[1,2]}"#), Same);
    check(7u8, 7i64, Same);
    check(7u8, Some(7u64), Same);
    check(Some(()), None::<()>, Different);
    check(Some(None::<u8>), None::<Option<u8>>, Different);
    check(1.5f32, 1.5f64, Same);
    check(1u8, 1.0f64, Different);
    check(f64::NAN, f64::NAN, Same);
    check(0.0f64, -0.0f64, Different);
    check("1".to_string(), 1u8, Different);
    check(vec!["a, b".to_string()], vec!["a".to_string(), "b".to_string()], Different);
    check(vec![(1u8, 2u8)], vec![[1u8, 2]], Same);
    check(Ok::<u8, u8>(1), Err::<u8, u8>(1), Different);
}
