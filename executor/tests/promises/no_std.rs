//! Promise 6: only what needs the operating system names `std`, and nothing is unsafe.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is part of the crate");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn promise_6_only_parking_and_catching_name_std() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&folder) {
        let text = fs::read_to_string(&path).expect("a source file is text");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.take_while(|line| !line.contains("#[cfg(all(test, "));
        let named: Vec<&str> = code.filter(|line| line.contains("std::")).collect();
        let may = path.ends_with("park.rs") || path.ends_with("aside.rs");
        assert!(may || named.is_empty(), "{}: {named:?}", path.display());
    }
}

#[test]
fn promise_6_the_crate_is_no_std_and_forbids_unsafe_code() {
    let root = include_str!("../../src/lib.rs");
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(root.lines().any(|line| line == attribute), "{attribute} is missing");
    }
}
