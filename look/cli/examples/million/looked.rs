//! What the program takes to show something.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::files::Files;

pub(crate) fn measure(files: &Files) {
    println!("{:<44} {:>8} {:>8}", "seconds, the middle of five", "wall", "CPU");
    for path in [&files.folded, &files.closed, &files.killed] {
        shown(path, &["list"]);
    }
    let all = ["list", "--workflow", "none"];
    let grep = ["list", "--grep", "such a text is in none"];
    for arguments in [&all[..], &grep, &["stats"]] {
        shown(&files.folded, arguments);
    }
    shown(&files.long, &["show", "long"]);
    shown(&files.long, &["show", "long", "--only", "failed"]);
}

fn shown(path: &Path, arguments: &[&str]) {
    let program = std::env::current_exe().expect("this is a program");
    let program = program.parent().expect("in a folder").with_file_name("dacapo");
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let (start, before) = (Instant::now(), children_seconds());
            let mut command = Command::new(&program);
            let status = command.arg("-f").arg(path).args(arguments).stdout(Stdio::null()).status();
            assert!(status.expect("the program is built").success(), "{arguments:?}");
            (start.elapsed().as_secs_f64(), children_seconds() - before)
        })
        .collect();
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let name =
        format!("{}: {}", path.file_stem().expect("it has a name").display(), arguments.join(" "));
    println!("{name:<44} {:>8.3} {:>8.2}", times[2].0, times[2].1);
}

/// The processors' time of all children that have ended.
fn children_seconds() -> f64 {
    seconds(13..15)
}

/// The processors' time in these fields of what Linux says of this process, in steps of 10 ms.
pub(crate) fn seconds(fields: Range<usize>) -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    // Counted from behind the name, which is in parentheses.
    let behind = stat.rsplit(") ").next().expect("there is always one");
    let all: Vec<_> = behind.split(' ').collect();
    all[fields].iter().map(|ticks| ticks.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}
