//! What the tests covered: `.ci/run` adds it up.

use std::fs::File;
use std::io::Write;

/// Prints a line of `name=value`, and appends it to the file that `DACAPO_COVERAGE` names.
pub(super) fn add(line: &str) {
    let thread = std::thread::current();
    println!("{}: {line}", thread.name().unwrap_or_default());
    if let Ok(path) = std::env::var("DACAPO_COVERAGE") {
        let file = File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}
