//! The corpus of the fuzz targets, replayed on stable.

use std::fs;
use std::path::Path;

use super::programs;

#[path = "../fuzz/src/executor.rs"]
mod executor;
#[path = "../fuzz/src/history.rs"]
mod history;

/// Feeds every file of a target's corpus to its function, and counts them.
fn replay(target: &str, check: impl Fn(&[u8])) -> usize {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&corpus).expect("the corpus is there");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    for file in &files {
        println!("{}", file.display());
        check(&fs::read(file).expect("it can be read"));
    }
    files.len()
}

#[test]
fn histories() {
    assert!(replay("history", history::check) >= 40);
}

#[test]
fn executors() {
    assert!(replay("executor", executor::check) >= 30);
}

/// The check of a random program as the corpus wants it: a function that panics.
fn panics<T>(check: impl Fn(&[u8]) -> Result<T, programs::Wrong>) -> impl Fn(&[u8]) {
    move |bytes| {
        check(bytes).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

#[test]
fn replays() {
    assert!(replay("replay", panics(programs::check)) >= 60);
}

#[test]
fn crashes() {
    assert!(replay("crash", panics(programs::crash)) >= 60);
}

#[test]
fn disks() {
    assert!(replay("disk", panics(programs::disk)) >= 60);
}

#[test]
fn worlds() {
    assert!(replay("worlds", panics(programs::worlds::check)) >= 20);
}
