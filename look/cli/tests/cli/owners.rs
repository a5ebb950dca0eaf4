//! A socket that somebody else may not open.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use dacapo::Executor;

use crate::live::Live;
use crate::support::dacapo;

/// A user that owns nothing here.
const NOBODY: u32 = 65_534;

/// A folder that everybody may go through, unlike that of a build perhaps.
struct Open(PathBuf);

impl Open {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("dacapo-owners-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is mine");
        Self(folder)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The code and what was said, by somebody else if this user may be another one.
fn called_by_another(folder: &Path, socket: &Path, args: &[&str]) -> (Option<i32>, String) {
    let is_root = fs::metadata(folder).expect("it is there").uid() == 0;
    if !is_root {
        // Whom it belongs to may not open it either.
        fs::set_permissions(socket, fs::Permissions::from_mode(0o000)).expect("it is mine");
        let called = dacapo(folder, args);
        return (Some(called.code), called.err);
    }
    let program = folder.join("dacapo");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_dacapo"), &program).expect("there is room");
    }
    let mut command = Command::new(program);
    // With that user id the groups are given up, too.
    command.uid(NOBODY).gid(NOBODY).current_dir(folder).args(args).env_remove("DACAPO_FILE");
    let called = command.output().expect("it is called");
    assert_eq!(called.stdout, b"");
    (called.status.code(), String::from_utf8(called.stderr).expect("it is text"))
}

#[test]
fn the_socket_of_another_user() {
    let open = Open::new();
    let file = open.0.join("orders.redb");
    let live = Live::new(&file, Executor::builder);
    let socket = open.0.join("orders.redb.sock");
    assert_eq!(fs::metadata(&socket).expect("it is there").mode() & 0o777, 0o600);
    let owner = fs::metadata(&socket).expect("it is there").uid();
    for args in [
        &["list"][..],
        &["stats"],
        &["delete", "--all", "--yes"],
        &["list", "--socket", "orders.redb.sock"],
    ] {
        let (code, said) = called_by_another(&open.0, &socket, args);
        assert_eq!((code, said.lines().count()), (Some(6), 1), "{args:?}: {said}");
        let whose =
            format!("orders.redb.sock may not be opened: it belongs to user {owner}, mode ");
        assert!(said.contains(&whose), "{args:?}: {said}");
        assert!(said.contains(": call dacapo as that user"), "{args:?}: {said}");
    }
    drop(live);
}
