//! A run whose every text wants to be obeyed is shown by every command, without effect.

use std::path::Path;

use crate::live::Live;
use crate::support::{dacapo, folder};
use crate::world::{hostile, hostile_id};

#[test]
fn nothing_that_a_file_says_is_obeyed() {
    let folder = folder("hostile");
    hostile(&folder.join("hostile.redb")).expect("it is made");
    is_obeyed_by_nothing(&folder);
}

#[test]
fn nothing_that_a_process_says_is_obeyed() {
    let folder = folder("hostile-live");
    hostile(&folder.join("hostile.redb")).expect("it is made");
    let live = Live::new(&folder.join("hostile.redb"), dacapo::Executor::builder);
    is_obeyed_by_nothing(&folder);
    drop(live);
}

#[track_caller]
fn is_obeyed_by_nothing(folder: &Path) {
    let id = hostile_id();
    let second = format!("{id}-2");
    for args in [
        &["list"][..],
        &["list", "--grep", "script"],
        &["show", id, "--values"],
        &["show", &second, "--all"],
        &["show", id, "--only", "failed"],
        &["value", id, "input"],
        &["value", id, "1"],
        &["value", id, "7"],
        &["parked"],
        &["parked", &second],
        &["why", id],
        &["why", &second],
        &["stats"],
        &["why", "waits"],
        &["queues"],
        &["schedules"],
        &["queues", "pause", id],
        &["schedules", "trigger", id],
        &["check"],
        &["watch", id],
        &["fork", id, "--at", "1"],
        &["fork", &second, "--at", "1", "--dry-run"],
        &["resume", &second, "--yes"],
        &["cancel", &second, "--yes"],
        &["retry", id, "--dry-run"],
        &["delete", id, "--dry-run"],
        &["delete", "--grep", "script", "--dry-run"],
        &["show", "\u{1b}[2J"],
        &["list", "--before", id],
        &["list", "--workflow", id],
        &["list", "--attribute", &format!("{id}={id}")],
        &["list", "--attribute", id],
        &["list", "--state", id],
        &["show", id, "--at", "1"],
        &["show", id, "--pass", "7"],
        &["value", id, id],
        &["parked", id],
        &["parked", "-q"],
        &["check", "--code"],
        &["queues", "resume", id],
        &["queues", "resume", "\u{1b}[2J"],
        &["schedules", "pause", id, "--why", id],
        &["schedules", "resume", id],
        &["schedules", "resume", "\u{1b}[2J"],
        &["resume", "--reason", id, "--yes"],
        &["fork", id, "--before", id],
        &["send", id, id, "{"],
        &["send", &second, id, "\"x\""],
        &["start", id, id, "\"x\""],
        &["start", id, "third", "\u{1b}[2J"],
        &["prune", "--keep", "0", "--dry-run"],
        &["delete", id, "--children", "--dry-run"],
        &["export", id, "-o", "one\u{1b}[2J.jsonl"],
        &["export", id],
        &["export", "\u{1b}[2J"],
        &["import", "one\u{1b}[2J.jsonl"],
        &["import", "\u{1b}[2J"],
        &["man", id],
        &["completion", id],
        &["list", "-f", "\u{1b}[2J"],
        &["list", "--socket", "\u{1b}[2J"],
    ] {
        for json in [&[][..], &["--json"]] {
            let args = [args, json].concat();
            let called = dacapo(folder, &args);
            for text in [&called.out, &called.err] {
                let obeyed = text.chars().find(|char| {
                    char.is_control() && *char != '\n' || ('\u{202a}'..='\u{202e}').contains(char)
                });
                assert_eq!(obeyed, None, "{args:?}: {text}");
                assert!(
                    json.is_empty() || text.lines().all(|line| line.starts_with('{')),
                    "{text}"
                );
            }
        }
    }
    let shown = dacapo(folder, &["show", id]).out;
    assert!(shown.contains(r"<script>alert(1)</script>\x1b[2J\x9b1m\r\n\u{202e}"), "{shown}");
}
