//! A run whose every text wants to be obeyed is shown by every command, without effect.

use crate::support::{dacapo, folder};
use crate::world::{hostile, hostile_id};

#[test]
fn nothing_that_a_file_says_is_obeyed() {
    let folder = folder("hostile");
    hostile(&folder.join("hostile.redb")).expect("it is made");
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
        &["check"],
        &["show", "\u{1b}[2J"],
    ] {
        for json in [&[][..], &["--json"]] {
            let args = [args, json].concat();
            let called = dacapo(&folder, &args);
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
    let shown = dacapo(&folder, &["show", id]).out;
    assert!(shown.contains(r"<script>alert(1)</script>\x1b[2J\x9b1m\r\n\u{202e}"), "{shown}");
}
