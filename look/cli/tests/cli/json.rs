//! With `--json` each line is an object with a kind, also of what is refused.

use std::fs;

use serde_json::Value;

use crate::support::{Called, dacapo, folder, orders};

/// The lines of a text, each of them an object with a kind.
#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    let object = |line: &str| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|why| panic!("{line}: {why}"));
        assert!(object["kind"].is_string(), "it says what it is: {line}");
        object
    };
    text.lines().map(object).collect()
}

/// Calls the program with `--json`: what it prints, and why it refuses.
#[track_caller]
fn called(folder: &std::path::Path, args: &[&str]) -> (i32, Vec<Value>, Vec<Value>) {
    let Called { code, out, err } = dacapo(folder, &[args, &["--json"]].concat());
    (code, objects(&out), objects(&err))
}

#[test]
fn every_line_is_an_object_with_a_kind() {
    let folder = folder("json-lines");
    fs::copy(orders().join("orders.redb"), folder.join("orders.redb")).expect("it is there");
    let calls: [&[&str]; 20] = [
        &["list"],
        &["show", "order-1001"],
        &["show", "crawl-1", "--only", "failed"],
        &["value", "order-1001", "input"],
        &["why", "order-1002"],
        &["parked"],
        &["parked", "stuck-1"],
        &["stats"],
        &["check"],
        &["queues"],
        &["schedules"],
        &["export", "order-1001"],
        &["export", "order-1001", "order-1002", "-o", "two.jsonl"],
        &["-f", "other.redb", "import", "two.jsonl"],
        &["fork", "order-1001", "--at", "3", "-f", "orders.redb"],
        &["fork", "order-1001", "--at", "3", "--dry-run", "-f", "orders.redb"],
        &["retry", "order-1002", "--dry-run", "-f", "orders.redb"],
        &["prune", "--keep", "2", "--dry-run", "-f", "orders.redb"],
        &["delete", "order-1001", "--yes", "-f", "orders.redb"],
        &["compact", "-f", "orders.redb"],
    ];
    for args in calls {
        let (code, out, err) = called(&folder, args);
        assert_eq!((code, err), (0, Vec::new()), "{args:?}");
        // There are none here.
        let is_empty = ["queues", "schedules"].contains(&args[0]);
        assert_eq!(out.is_empty(), is_empty, "{args:?}");
    }
    let exported = fs::read_to_string(folder.join("two.jsonl")).expect("it was made");
    assert_eq!(objects(&exported).last().expect("it has an end")["kind"], "end");
    assert!(called(&folder, &["list", "--prefix", "nobody", "-f", "orders.redb"]).1.is_empty());
}

/// A script that is refused is told what a person is told: which option is missing, what would be one.
#[test]
fn what_is_refused_says_all_that_a_person_is_told() {
    let refused: [(&[&str], i32, &str, &str); 6] = [
        (&["prune"], 2, "usage", "--older-than"),
        (&["list", "--state", "bla"], 2, "usage", "parked"),
        (&["fork", "order-1001", "--dry-run"], 2, "usage", "--before"),
        (&["show", "nobody"], 3, "no-such-run", "dacapo list"),
        (&["parked", "order-1001"], 5, "not-in-this-state", "dacapo why order-1001"),
        (&["watch"], 5, "not-in-this-state", "start the process"),
    ];
    for (args, code, kind, says) in refused {
        let (ended, out, err) = called(orders(), args);
        assert_eq!((ended, out.len(), err.len()), (code, 0, 1), "{args:?} {out:?} {err:?}");
        assert_eq!((&err[0]["kind"], &err[0]["code"]), (&"error".into(), &kind.into()), "{args:?}");
        let message = err[0]["message"].as_str().expect("it is a text");
        assert!(message.contains(says) && !message.contains('\n'), "{args:?}: {message}");
    }
}
