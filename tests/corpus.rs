//! The corpus of the fuzz targets, replayed on stable.

use std::fs;
use std::path::Path;

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
