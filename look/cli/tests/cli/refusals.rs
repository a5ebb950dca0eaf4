//! What is refused, with which code, and what it says to do. Nothing is changed.

use std::fs;

use dacapo::Executor;

use crate::support::{dacapo, folder, orders};

/// A call ends with a code, and says so in one line.
#[track_caller]
fn refused(folder: &std::path::Path, args: &[&str], code: i32, says: &str) {
    let called = dacapo(folder, args);
    assert_eq!(called.code, code, "{args:?}: {called:?}");
    assert!(called.err.contains(says), "{args:?}: {}", called.err);
    assert_eq!((called.out.as_str(), called.err.lines().count()), ("", 1), "{args:?}: {called:?}");
}

#[test]
fn files_that_are_none() {
    let folder = folder("none");
    refused(&folder, &["list"], 2, "there is no *.redb in this folder: name the file with -f");
    refused(&folder, &["list", "-f", "x"], 2, "there is no file x: name another with -f FILE");
    fs::write(folder.join("text.redb"), "text").expect("it is written");
    refused(&folder, &["list"], 1, "text.redb is not a dacapo store");
    fs::write(folder.join("other.redb"), "").expect("it is written");
    refused(&folder, &["list"], 2, "there are 2 *.redb in this folder: name one, as with -f");
    assert_eq!(fs::read(folder.join("text.redb")).expect("it is there"), b"text");
}

/// What a command needs to know it does not do without, whatever else is said.
#[test]
fn calls_without_what_they_need() {
    for args in [
        &["fork", "order-1001"][..],
        &["fork", "order-1001", "--as", "copy", "--dry-run"],
        &["fork", "order-1001", "--at", "3", "--before", "1", "--dry-run"],
        &["prune", "--yes"],
        &["prune", "--workflow", "order", "--state", "failed", "--yes"],
    ] {
        let called = dacapo(orders(), args);
        assert_eq!((called.code, called.out.as_str()), (2, ""), "{args:?}: {called:?}");
    }
}

/// Files that a later release made, in its form or by its rules.
#[test]
fn files_of_a_later_release() {
    let folder = folder("later");
    let later = dacapo::store::Options::new().semantics_version(u32::MAX);
    drop(later.open(folder.join("later.redb")).expect("it is made"));
    refused(&folder, &["list"], 1, "a later version of dacapo: open it with that version");
    refused(&folder, &["delete", "--all", "--yes"], 1, "a later version of dacapo");
}

/// A filter that matches nothing is no mistake, and nothing is done.
#[test]
fn filters_that_match_nothing() {
    let call = |args: &[&str]| dacapo(orders(), args);
    let listed = call(&["list", "--prefix", "nobody"]);
    assert_eq!(listed.code, 0);
    assert!(listed.out.contains("No run passes this filter; the file holds"), "{listed:?}");
    assert_eq!(call(&["list", "--prefix", "nobody", "--json"]).out, "");
    // Those of the time before, and not of the last hour.
    assert_eq!(call(&["list", "--until", "36500d", "--json"]).out, "");
    assert_eq!(call(&["list", "--until", "1h", "--json"]).out, call(&["list", "--json"]).out);
    let failed = call(&["delete", "--state", "failed", "--until", "30d", "--dry-run"]);
    assert!(failed.out.ends_with("1 run would be deleted\n"), "{failed:?}");
    let failed = call(&["delete", "--state", "failed", "--until", "36500d", "--dry-run"]);
    assert_eq!(failed.out, "orders.redb: 0 runs would be deleted\n", "{failed:?}");
    let deleted = call(&["delete", "--prefix", "nobody"]);
    assert_eq!((deleted.code, &*deleted.out), (0, "orders.redb: 0 runs deleted\n"), "{deleted:?}");
}

/// The limit of a process on files stands for a disk that is full.
#[test]
fn a_disk_that_is_full() {
    let folder = folder("full");
    let file = orders().join("orders.redb");
    let out = folder.join("crawl.jsonl");
    let line = "trap '' XFSZ; ulimit -f 1; exec \"$0\" -f \"$1\" export crawl-1 -o \"$2\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_dacapo")]).arg(file).arg(&out);
    let called = command.output().expect("it is called");
    let said = String::from_utf8(called.stderr).expect("it is UTF-8");
    assert_eq!(called.status.code(), Some(1), "{said}");
    assert!(said.contains("crawl.jsonl cannot be written: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!out.exists(), "a part of an export is none");
}

/// Nothing can be written: no command says that it has done something, and nothing was.
#[test]
fn changes_on_a_disk_that_is_full() {
    let folder = folder("full-changes");
    fs::copy(orders().join("orders.redb"), folder.join("orders.redb")).expect("it is there");
    let before = dacapo(&folder, &["list", "--json"]).out;
    for args in [
        &["delete", "order-1001", "--yes"][..],
        &["prune", "--keep", "0", "--yes"],
        &["hold", "nap-1", "--yes"],
        &["compact"],
    ] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]).current_dir(&folder);
        command.arg(env!("CARGO_BIN_EXE_dacapo")).args(args);
        let called = command.output().expect("it is called");
        let [out, said] = [called.stdout, called.stderr].map(String::from_utf8);
        let (out, said) = (out.expect("it is text"), said.expect("it is text"));
        assert_eq!((called.status.code(), out.as_str()), (Some(1), ""), "{args:?}: {said}");
        assert!(said.contains("I/O error on ./orders.redb: "), "{args:?}: {said}");
        assert_eq!(dacapo(&folder, &["list", "--json"]).out, before, "{args:?}");
    }
}

#[test]
fn runs_that_are_none() {
    for args in [["show", "x"], ["why", "x"], ["parked", "x"]] {
        refused(orders(), &args, 3, r#"there is no run "x": see "dacapo list --prefix TEXT""#);
    }
    refused(orders(), &["list", "--before", "x"], 3, "there is no run");
    refused(orders(), &["value", "order-1001", "99"], 3, "has no value 99: see");
    refused(orders(), &["value", "order-1001", "x"], 2, "give the number of an operation");
    refused(orders(), &["parked", "order-1001"], 5, "is not parked: see");
}

#[test]
fn a_file_in_use() {
    let folder = folder("in-use");
    let executor = Executor::builder().open(folder.join("held.redb")).expect("it is made");
    refused(&folder, &["list"], 6, "serves no socket: have it call dacapo_control::Control");
    drop(executor);
    let called = dacapo(&folder, &["list"]);
    assert_eq!((called.code, called.err.as_str()), (0, ""));
    assert!(called.out.ends_with("No runs.\n"), "{}", called.out);
}

/// One value of one run: that run says so, and the others are shown.
#[test]
fn a_file_that_is_damaged() {
    let folder = folder("damaged");
    let mut bytes = fs::read(orders().join("orders.redb")).expect("it is there");
    let at = bytes.windows(8).position(|part| part == b"reserved").expect("it is published");
    bytes[at] ^= 1;
    fs::write(folder.join("damaged.redb"), &bytes).expect("it is written");
    let called = dacapo(&folder, &["check"]);
    assert_eq!(called.code, 4, "{called:?}");
    assert!(called.out.contains("order-1001 record "), "{}", called.out);
    assert!(called.out.ends_with("1 record damaged\n"), "{}", called.out);
    let called = dacapo(&folder, &["show", "order-1001"]);
    assert_eq!(called.code, 0, "{called:?}");
    assert!(called.out.contains("unreadable"), "{}", called.out);
    assert_eq!(dacapo(&folder, &["list"]).code, 0);
    assert_eq!(fs::read(folder.join("damaged.redb")).expect("it is there"), bytes);

    let half = &bytes[..bytes.len() / 2];
    fs::write(folder.join("damaged.redb"), half).expect("it is written");
    for args in [["list"], ["check"]] {
        let called = dacapo(&folder, &args);
        assert!([1, 4].contains(&called.code), "{called:?}");
    }
}

#[test]
fn looking_changes_nothing() {
    let folder = folder("unchanged");
    let file = folder.join("orders.redb");
    fs::copy(orders().join("orders.redb"), &file).expect("it is copied");
    let before = fs::read(&file).expect("it is there");
    for args in [&["list"][..], &["show", "order-1003"], &["check"], &["stats"], &["parked"]] {
        dacapo(&folder, args);
    }
    assert_eq!(fs::read(&file).expect("it is there"), before);
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
}

#[test]
fn a_reader_that_goes_away() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dacapo"));
    command.current_dir(orders()).args(["show", "crawl-1", "--all", "--json"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it is called");
    drop(child.stdout.take());
    let called = child.wait_with_output().expect("it ends");
    assert_eq!((called.status.code(), called.stderr), (Some(0), vec![]));
}

/// Whatever is wrong with what is to be taken in: one line, and not a byte of the file is another.
#[test]
fn imports_that_are_refused_change_nothing() {
    let folder = folder("imports");
    let file = folder.join("orders.redb");
    fs::copy(orders().join("orders.redb"), &file).expect("it is copied");
    let before = fs::read(&file).expect("it is there");
    let good = dacapo(&folder, &["export", "order-1001"]).out;
    let without_last = good.lines().next_back().map_or(0, |last| good.len() - last.len() - 1);
    let as_new = good.replace("order-1001", "order-2001");
    for (name, text, code, says) in [
        ("exists", good.clone(), 1, "there is a run \"order-1001\" already"),
        ("sum", as_new.clone(), 1, "line "),
        ("cut", good[..without_last].to_owned(), 1, "copy all of it"),
        ("half", good[..good.len() / 2].to_owned(), 1, "of the export cannot be read"),
        ("empty", String::new(), 1, "export"),
        ("text", "not an export\n".into(), 1, "line 1"),
        ("later", good.replacen("\"format\":1", "\"format\":99", 1), 1, "99"),
    ] {
        fs::write(folder.join(name), text).expect("it is written");
        refused(&folder, &["import", name], code, says);
    }
    refused(&folder, &["import", "nowhere"], 1, "nowhere cannot be read: ");
    // Into a file of its own, which is made; but not for what is refused.
    refused(&folder, &["import", "sum", "-f", "own.redb"], 1, "line ");
    assert!(!folder.join("own.redb").exists());
    let own = dacapo(&folder, &["import", "exists", "-f", "own.redb"]);
    assert_eq!((own.code, &*own.err), (0, ""), "{own:?}");
    assert_eq!(dacapo(&folder, &["value", "order-1001", "input", "-f", "own.redb"]).code, 0);
    assert!(fs::read(&file).expect("it is there") == before, "it was changed");
}

/// So it is with what else is asked for wrongly.
#[test]
fn what_cannot_be_done_changes_nothing() {
    let folder = folder("undone");
    let file = folder.join("orders.redb");
    fs::copy(orders().join("orders.redb"), &file).expect("it is copied");
    let before = fs::read(&file).expect("it is there");
    fs::write(folder.join("there"), "text").expect("it is written");
    let fork = |at: &'static str| ["fork", "order-1001", "--at", at, "--as", "order-1002"];
    for (args, code, says) in [
        (&fork("3")[..], 1, "there is a run \"order-1002\" already"),
        (&["fork", "order-1001", "--at", "99"], 1, "99"),
        (&["fork", "order-1001", "--before", "99"], 1, "99"),
        (&["fork", "nobody", "--at", "1"], 3, "there is no run \"nobody\""),
        (&["export", "order-1001", "-o", "there"], 1, "there cannot be made: "),
        (&["export", "nobody"], 3, "there is no run \"nobody\""),
        (&["delete", "nobody", "--yes"], 3, "there is no run \"nobody\""),
        (&["delete", "nap-1", "--yes"], 5, "cancel it first"),
        (&["delete", "order-1001"], 2, "say --yes"),
        (&["cancel", "nap-1", "--yes"], 5, "dacapo_cli::run(builder)"),
        (&["resume", "stuck-1", "--yes"], 5, "dacapo_cli::run(builder)"),
        (&["send", "nap-2", "approval", "true"], 5, "dacapo_cli::run(builder)"),
        (&["start", "nap", "nap-3", "1"], 5, "dacapo_cli::run(builder)"),
        (&["check", "--code"], 5, "dacapo_cli::run(builder)"),
        (&["watch", "nap-1"], 5, "nothing happens in a file at rest"),
        (&["list", "--socket", "nowhere"], 6, "nobody serves the socket nowhere"),
    ] {
        refused(&folder, args, code, says);
    }
    let misspelt = dacapo(&folder, &["resume", "--reason", "divergd", "--yes"]);
    assert_eq!(misspelt.code, 2, "{misspelt:?}");
    assert!(misspelt.err.contains("it is none of diverged, foreign wake, "), "{misspelt:?}");
    // What is only said needs neither the code nor the file for itself.
    let _looks = Executor::builder().open_read_only(&file).expect("it is one");
    for (args, says) in [
        (["cancel", "nap-1"], "1 run would be asked to end\n"),
        (["hold", "nap-1"], "1 run would be held\n"),
        (["resume", "--all"], "1 run would be resumed\n"),
        (["retry", "--all"], "1 run would be retried\n"),
        (["delete", "order-1001"], "1 run would be deleted\n"),
        (["prune", "--keep=0"], "4 runs would be deleted\n"),
    ] {
        let called = dacapo(&folder, &[&args[..], &["--dry-run"]].concat());
        assert_eq!((called.code, &*called.err), (0, ""), "{args:?}: {called:?}");
        assert!(called.out.ends_with(says), "{args:?}: {called:?}");
    }
    assert!(fs::read(&file).expect("it is there") == before, "it was changed");
}
