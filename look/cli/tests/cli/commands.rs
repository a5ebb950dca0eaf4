//! What each command prints of runs of every kind.

use std::fmt::Write;
use std::path::Path;

use crate::support::{dacapo, folder, orders, snapshot};

/// What some calls print, each under its command line.
fn transcript(calls: &[&[&str]]) -> String {
    transcript_in(orders(), calls)
}

pub(crate) fn transcript_in(folder: &Path, calls: &[&[&str]]) -> String {
    let mut text = String::new();
    for args in calls {
        let called = dacapo(folder, args);
        writeln!(text, "$ dacapo {}", args.join(" ")).expect("a string takes all");
        text.push_str(&called.out);
        for line in called.err.lines() {
            writeln!(text, "! {line}").expect("a string takes all");
        }
        if called.code != 0 {
            writeln!(text, "[{}]", called.code).expect("a string takes all");
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_list() {
    let text = transcript(&[
        &["list"],
        &["list", "--state", "failed,parked"],
        &["list", "--prefix", "order-", "-n", "2"],
        &["list", "--before", "order-1002"],
        &["list", "--attribute", "customer=ada"],
        &["list", "--grep", "\"bob\""],
        &["list", "--workflow", "nobody"],
        &["list", "--ascii", "-n", "3"],
    ]);
    snapshot("list.txt", &text);
}

#[test]
fn a_run() {
    let text = transcript(&[
        &["show", "order-1001"],
        &["show", "order-1001", "--values", "--at", "6"],
        &["show", "order-1002"],
        &["show", "remote-1"],
        &["show", "stuck-1"],
        &["show", "nap-1"],
        &["show", "--ascii", "order-1003"],
    ]);
    snapshot("show.txt", &text);
}

#[test]
fn a_run_of_a_thousand_steps() {
    let text = transcript(&[
        &["show", "crawl-1"],
        &["show", "crawl-1", "--only", "failed"],
        &["show", "order-1001", "--only", "failed"],
    ]);
    snapshot("crawl.txt", &text);
}

#[test]
fn reasons() {
    let ids = ["order-1001", "order-1002", "stuck-1", "nap-1", "nap-2", "remote-1", "order-1003"];
    let calls = ids.map(|id| ["why", id]);
    let mut calls: Vec<&[&str]> = calls.iter().map(|call| &call[..]).collect();
    calls.extend([
        &["parked"][..],
        &["parked", "stuck-1"],
        &["parked", "nap-1"],
        &["parked", "-q"],
    ]);
    snapshot("why.txt", &transcript(&calls));
}

/// To retry it does not help by itself, and nobody is told that it does.
#[test]
fn a_step_that_runs_at_most_once_was_interrupted() {
    let folder = folder("interrupted");
    crate::world::interrupted(&folder.join("wires.redb")).expect("it is made");
    let calls = [["why", "wire-1"], ["show", "wire-1"]];
    let calls: Vec<&[&str]> = calls.iter().map(|call| &call[..]).collect();
    snapshot("interrupted.txt", &transcript_in(&folder, &calls));
}

#[test]
fn values() {
    let text = transcript(&[
        &["value", "order-1001", "input"],
        &["value", "order-1001", "output"],
        &["value", "order-1001", "1"],
        &["value", "order-1001", "@6"],
        &["value", "order-1001", "1", "--json"],
        &["value", "order-1001", "5"],
        &["value", "order-1001", "second"],
        &["check"],
    ]);
    snapshot("value.txt", &text);
}

#[test]
fn json() {
    let text = transcript(&[
        &["list", "--json"],
        &["show", "order-1001", "--json"],
        &["show", "crawl-1", "--json"],
        &["parked", "--json"],
        &["why", "remote-1", "--json"],
        &["check", "--json"],
        &["list", "--json", "--workflow", "nobody"],
        &["show", "nobody", "--json"],
        &["list", "--json", "--nobody"],
    ]);
    for line in text.lines().filter(|line| line.starts_with(['{', '!'])) {
        let json: serde_json::Value =
            serde_json::from_str(line.trim_start_matches("! ")).expect("each line is JSON");
        assert!(json["kind"].is_string(), "{line}");
    }
    snapshot("json.txt", &text);
}

#[test]
fn numbers() {
    let called = dacapo(orders(), &["stats"]);
    // Nobody promises how large a file is, nor how many outcomes share a commit.
    let (first, rest) = called.out.split_once('\n').expect("there are lines");
    assert!(first.starts_with("orders.redb ") && first.ends_with("KiB · at rest"), "{first}");
    let is_known = |line: &&str| !line.contains("commits");
    snapshot("stats.txt", &rest.lines().filter(is_known).collect::<String>());
    assert!(rest.contains(", the last at 2020-11-26 13:10:59 UTC\n"), "{rest}");
    assert!(dacapo(orders(), &["stats", "--json"]).out.contains(r#""failed":1"#));
}

/// A clock that was ahead for one commit is found by whoever looks at the file.
#[test]
fn a_clock_that_was_ahead() {
    let folder = folder("ahead");
    crate::world::ahead(&folder.join("ahead.redb")).expect("it is made");
    let called = dacapo(&folder, &["stats"]);
    assert!(called.out.contains("behind the last commit"), "{}", called.out);
    assert!(called.out.trim_end().ends_with("set the clock right"), "{}", called.out);
    assert!(!dacapo(orders(), &["stats"]).out.contains("clock"));
}

#[test]
fn pages_for_man() {
    let page = dacapo(orders(), &["man"]);
    assert_eq!(page.code, 0, "{page:?}");
    for part in [".TH dacapo", "SUBCOMMANDS", "fork"] {
        assert!(page.out.contains(part), "{part}: {}", page.out);
    }
    let page = dacapo(orders(), &["man", "fork"]);
    assert!(page.out.contains("dacapo\\-fork") || page.out.contains("dacapo-fork"), "{}", page.out);
    assert_eq!(dacapo(orders(), &["man", "nothing"]).code, 2);
}

#[test]
fn earlier_passes() {
    let folder = folder("passes");
    crate::world::passes(&folder.join("passes.redb")).expect("it is made");
    let text = transcript_in(
        &folder,
        &[
            &["list"],
            &["list", "--state", "continued"],
            &["show", "count-1", "--pass", "2"],
            &["show", "count-1"],
            &["value", "count-1", "1", "--pass", "1"],
            &["show", "count-1", "--pass", "4"],
        ],
    );
    snapshot("passes.txt", &text);
}

/// The widest line of a command fits.
#[test]
fn lines_are_as_wide_as_the_terminal() {
    for columns in ["60", "80", "120"] {
        for args in [&["list"][..], &["show", "order-1001"], &["show", "crawl-1"], &["parked"]] {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dacapo"));
            command.current_dir(orders()).args(args).env("COLUMNS", columns).arg("--utc");
            let out = command.output().expect("it is called").stdout;
            let out = String::from_utf8(out).expect("it is UTF-8");
            let most: usize = columns.parse().expect("it is a number");
            for line in out.lines().skip(1) {
                let is_table = !line.contains("More:") && !line.contains("Reasons:");
                assert!(!is_table || line.chars().count() <= most.max(80), "{columns}: {line}");
            }
        }
    }
}
