//! Values as the types of this program show them, on a file at rest.

use std::path::PathBuf;
use std::process::Command;

use dacapo::Result;

use crate::types::{SHOWN, paid};

pub(crate) fn test(folder: PathBuf) -> Result<()> {
    paid(&folder.join("orders.redb"))?;
    let bare = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dacapo"));
        let called = command.current_dir(&folder).args(args).env_remove("DACAPO_FILE").output();
        String::from_utf8(called.expect("it is called").stdout).expect("it is text")
    };
    for (which, typed, by_shape) in SHOWN {
        assert_eq!(crate::done(&folder, "1", &["value", "pay-1", which]), typed, "{which}");
        assert_eq!(bare(&["value", "pay-1", which]), by_shape, "{which}");
    }
    let shown = crate::done(&folder, "1", &["show", "pay-1", "--values"]);
    assert!(shown.contains("input   \"key-1\"") && shown.contains("output  \"key-6\""), "{shown}");
    assert!(shown.contains("\"key-2\"") && !shown.contains("4111"), "{shown}");
    let listed = crate::done(&folder, "1", &["list"]);
    assert!(!listed.contains("4111"), "{listed}");
    // What is written into a message is read as its type, too.
    for (json, code) in [("\"key-7\"", 0), ("\"7\"", 2)] {
        let (was, _, err) =
            crate::call(&folder, "1", &["start", "pay", &format!("pay-{code}"), json]);
        assert_eq!(was, code, "{json}: {err}");
    }
    assert_eq!(crate::done(&folder, "1", &["value", "pay-0", "input"]), "\"key-7\"\n");
    Ok(())
}
