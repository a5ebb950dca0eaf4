//! What all tests use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

/// What came of a call: the code, and what was printed.
#[derive(PartialEq, Debug)]
pub(crate) struct Called {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder for one test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

/// Calls the program in a folder.
pub(crate) fn dacapo(folder: &Path, args: &[&str]) -> Called {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dacapo"));
    command.current_dir(folder).args(args).env_remove("DACAPO_FILE").env("COLUMNS", "80");
    let called = command.env("TZ", "UTC").output().expect("it is called");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
    let code = called.status.code().expect("it ends by itself");
    Called { code, out: text(called.stdout), err: text(called.stderr) }
}

/// The folder with the runs of every kind, made once.
pub(crate) fn orders() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = folder("orders");
        super::world::orders(&folder.join("orders.redb")).expect("they are made");
        folder
    })
}

/// Compares with a file of `tests/snapshots`; `DACAPO_WRITE_SNAPSHOTS=1` writes it.
#[track_caller]
pub(crate) fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if env::var_os("DACAPO_WRITE_SNAPSHOTS").is_some() {
        fs::write(&path, text).expect("it can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}: DACAPO_WRITE_SNAPSHOTS=1 writes it anew");
}
