//! The direction of dependencies: a module of `src` uses only modules above it in `lib.rs`, and
//! the crates below know nothing of each other.

use std::fs;
use std::path::{Path, PathBuf};

/// All Rust files below a folder of the repository.
pub(super) fn sources(folder: &str) -> Vec<PathBuf> {
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
        let Some(own) = position(module.trim_end_matches(".rs")) else {
            continue;
        };
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

/// The names in `use NAME::…` and `use NAME::{…}` below a prefix such as `super`, each with what is
/// named of it, in one line.
fn imports<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        let rest = &code[at + prefix.len()..];
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let list = match rest.strip_prefix('{') {
            Some(list) => &list[..list.find('}').expect("it is closed")],
            None => rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""),
        };
        found.extend(list.split(',').map(str::trim).filter(|name| !name.is_empty()));
    }
    found
}

/// Which file of a folder of `src` uses which: by `super::`, and `mod.rs` by the names of its
/// modules. What `mod.rs` only passes on leads to where it comes from.
fn uses_within(folder: &Path) -> Vec<(String, String)> {
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let text =
        |path: &Path| code(path).into_iter().map(|(_, line)| line + "\n").collect::<String>();
    let files: Vec<_> = fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    let root = text(&folder.join("mod.rs"));
    let root: String = root.lines().filter(|line| !line.starts_with("#[")).collect();
    let statements = root.split(';').map(str::trim);
    let (passed, own): (Vec<_>, Vec<_>) = statements
        .partition(|line| line.starts_with("pub use") || line.starts_with("pub(crate) use"));
    let own = own.join(";");
    let mut uses = Vec::new();
    for file in &files {
        let child = name(file);
        if child == "mod" {
            continue;
        }
        let prefix = format!("{child}::");
        if !imports(&own, &prefix).is_empty() {
            uses.push(("mod".into(), child.clone()));
        }
        for used in imports(&text(file), "super::") {
            let used = used.split("::").next().expect("a name");
            let is_file = files.iter().any(|file| name(file) == used);
            let passes = |line: &&&str| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == used)
            };
            let from = passed.iter().find(passes).map(|line| {
                line.split(" use ").nth(1).unwrap_or(line.trim_start_matches("pub use "))
            });
            let target = match (is_file, from) {
                (true, _) => used,
                (false, Some(from)) => from.split("::").next().expect("a module"),
                (false, None) => "mod",
            };
            uses.push((child.clone(), target.to_owned()));
        }
    }
    uses.retain(|(file, used)| file != used);
    uses.sort();
    uses.dedup();
    uses
}

/// Files of one folder of the engine are read from the bottom to the top, too.
#[test]
fn the_files_of_a_folder_do_not_go_in_circles() {
    let mut seen = 0;
    for folder in ["engine", "executor", "remote", "context", "instance", "record"] {
        let mut uses = uses_within(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder));
        seen += uses.len();
        // What uses nothing that is left is taken away, until nothing is left or all is a circle.
        while !uses.is_empty() {
            let before = uses.len();
            let left = uses.clone();
            uses.retain(|(_, used)| left.iter().any(|(file, _)| file == used));
            assert!(uses.len() < before, "a circle in src/{folder}: {uses:?}");
        }
    }
    assert!(seen > 20, "the test sees the uses: {seen}");
}

/// Who adds a kind of record, of operation or of note must look at every place that tells them
/// apart: so no wildcard does.
#[test]
fn no_wildcard_decides_about_a_record() {
    let names = [
        "Record::",
        "Asked::",
        "Note::",
        "Mark::",
        "What::",
        "PostWhat::",
        "Phase::",
        "RunState::",
    ];
    let mut matches = 0;
    for file in sources("src") {
        let lines = code(&file);
        for (index, (number, line)) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if !line.contains("match ") || !line.trim_end().ends_with('{') {
                continue;
            }
            let arms: Vec<_> = lines[index + 1..]
                .iter()
                .map(|(_, line)| line.as_str())
                .take_while(|line| {
                    line.trim().is_empty() || line.len() - line.trim_start().len() > indent
                })
                .filter(|line| line.len() - line.trim_start().len() == indent + 4)
                .map(str::trim_start)
                .collect();
            let tells = |arm: &&str| names.iter().any(|name| arm.starts_with(name));
            // What is read from bytes, and may be damaged.
            let reads = |arm: &&str| tells(&arm.trim_start_matches("Ok("));
            // Whether it is one kind may be asked as with `if let`.
            let wilds: &[_] =
                match (arms.iter().any(tells), arms.iter().filter(|arm| reads(arm)).count()) {
                    (true, _) => &["_ "],
                    (false, 2..) => &["_ ", "Ok(_)"],
                    (false, _) => continue,
                };
            matches += 1;
            let wild = arms.iter().find(|arm| wilds.iter().any(|wild| arm.starts_with(wild)));
            assert_eq!(wild, None, "{}:{number} has a wildcard", file.display());
        }
    }
    assert!(matches >= 10, "the test sees the matches: {matches}");
}

/// A panic says why it cannot be.
#[test]
fn every_expect_has_a_reason_and_nothing_is_unwrapped() {
    let mut expects = 0;
    for folder in ["src", "executor/src", "look", "store/src"] {
        for file in sources(folder) {
            for (number, line) in code(&file) {
                if line.trim() == "mod tests {" || file.ends_with("tests.rs") {
                    break;
                }
                let at = format!("{}:{number}", file.display());
                assert!(!line.contains(".unwrap()"), "{at} unwraps");
                for (_, reason) in line.match_indices(".expect(").map(|(at, _)| line.split_at(at)) {
                    let reason = &reason[".expect(".len()..];
                    let words = reason.split('"').nth(1).map_or(2, |text| text.split(' ').count());
                    assert!(words >= 2, "{at} does not say why");
                    expects += 1;
                }
            }
        }
    }
    assert!(expects > 20, "the test sees them: {expects}");
}

#[test]
fn the_crates_below_know_nothing_of_each_other() {
    for (folder, forbidden) in [
        ("executor/src", ["dacapo_store", "dacapo::"]),
        ("values/src", ["dacapo_store", "dacapo_executor"]),
        ("store/src", ["dacapo_executor", "dacapo::"]),
    ] {
        for file in sources(folder) {
            for (number, line) in code(&file) {
                let found = forbidden.iter().find(|name| line.contains(*name));
                assert_eq!(found, None, "{}:{number}", file.display());
            }
        }
    }
    let manifests = [
        ("executor", "dacapo-store"),
        ("executor", "dacapo-values"),
        ("store", "dacapo-executor"),
        ("store", "dacapo-values"),
        ("values", "dacapo-store"),
        ("values", "dacapo-executor"),
    ];
    for (manifest, forbidden) in manifests {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest).join("Cargo.toml");
        let text = fs::read_to_string(manifest).expect("it can be read");
        assert!(!text.contains(forbidden));
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let libs = [
        "src",
        "executor/src",
        "executor/models/src",
        "look/cli/src",
        "look/control/src",
        "look/inspect/src",
        "store/src",
        "values/src",
    ];
    for lib in libs.map(|folder| format!("{folder}/lib.rs")) {
        let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join(lib);
        let text = fs::read_to_string(&lib).expect("it can be read");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{}", lib.display());
    }
}
