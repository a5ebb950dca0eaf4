//! The direction of dependencies: a module of `src` uses only modules above it in `lib.rs`, and
//! the crates below know nothing of each other.

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files below a folder of the repository.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{folder} has sources");
    files.sort();
    files
}

/// The code of a file: lines that are not comments, each with its number.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("the file can be read");
    let lines = (1..).zip(text.lines().map(str::to_owned));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The modules of the engine, from top to bottom.
fn modules() -> Vec<String> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let declared = |(_, line): (usize, String)| {
        let name = line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
        Some(name.to_owned())
    };
    code(&lib).into_iter().filter_map(declared).collect()
}

/// What follows each `crate::` of a line: a module, or an item of the crate's root.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let modules = modules();
    let position = |module: &str| modules.iter().position(|name| name == module);
    assert!(position("run") < position("executor"), "{modules:?}");
    let mut uses = 0;
    for file in sources("src") {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let below = file.strip_prefix(src).expect("it is below src");
        let module = below.iter().next().expect("it has a name").to_string_lossy();
        let Some(own) = position(module.trim_end_matches(".rs")) else { continue };
        for (number, line) in code(&file) {
            for used in used(&line) {
                let place = position(used);
                let place = place.unwrap_or_else(|| {
                    panic!("{}:{number} names the root's {used:?}: name its module", file.display())
                });
                assert!(place <= own, "{}:{number} uses {used}, below it", file.display());
                uses += 1;
            }
        }
    }
    assert!(uses > 50, "the test sees the uses: {uses}");
}

#[test]
fn the_crates_below_know_nothing_of_each_other() {
    for (folder, forbidden) in [
        ("executor/src", ["dacapo_store", "dacapo::"]),
        ("store/src", ["dacapo_executor", "dacapo::"]),
    ] {
        for file in sources(folder) {
            for (number, line) in code(&file) {
                let found = forbidden.iter().find(|name| line.contains(*name));
                assert_eq!(found, None, "{}:{number}", file.display());
            }
        }
    }
    for (manifest, forbidden) in [("executor", "dacapo-store"), ("store", "dacapo-executor")] {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest).join("Cargo.toml");
        let text = fs::read_to_string(manifest).expect("it can be read");
        assert!(!text.contains(forbidden));
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let libs = ["src", "executor/src", "executor/models/src", "store/src"];
    for lib in libs.map(|folder| format!("{folder}/lib.rs")) {
        let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join(lib);
        let text = fs::read_to_string(&lib).expect("it can be read");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{}", lib.display());
    }
}

/// The document promises by naming tests: a name that stands for nothing would be a false promise.
#[test]
fn every_test_that_the_guarantees_name_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guarantees.md");
    let text = fs::read_to_string(path).expect("it can be read");
    let rows =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| guarantee"));
    let folders = ["tests", "store/tests", "executor/tests", "executor/models/src"];
    let files = folders.iter().flat_map(|folder| sources(folder));
    let code: String =
        files.map(|file| fs::read_to_string(file).expect("it can be read")).collect();
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().expect("a row has cells");
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "a guarantee without a test: {row}");
        for test in tests {
            let function = format!("#[test]\nfn {test}()");
            assert!(code.contains(&function), "there is no test {test:?}");
            named += 1;
        }
    }
    assert!(named > 40, "the rows are found: {named} tests");
}
