//! Commands that change a file: what they do, and what they refuse.

use std::fs;
use std::path::PathBuf;

use crate::support::{dacapo, folder, orders};

/// A copy of the runs of every kind.
fn copy(name: &str) -> PathBuf {
    let folder = folder(name);
    fs::copy(orders().join("orders.redb"), folder.join("orders.redb")).expect("it is there");
    folder
}

fn ids(folder: &std::path::Path, args: &[&str]) -> Vec<String> {
    let called = dacapo(folder, &[&["list", "--json", "-n", "1000"], args].concat());
    assert_eq!(called.code, 0, "{called:?}");
    let id = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
        row["id"].as_str().expect("it has an id").to_owned()
    };
    called.out.lines().map(id).collect()
}

#[test]
fn runs_are_deleted_when_somebody_is_sure() {
    let folder = copy("delete");
    let before = ids(&folder, &[]);
    let asked = dacapo(&folder, &["delete", "order-1001"]);
    assert_eq!((asked.code, asked.out.as_str()), (2, ""), "{asked:?}");
    assert!(asked.err.contains("1 run would be deleted: say --yes"), "{}", asked.err);
    let dry = dacapo(&folder, &["delete", "order-1001", "--dry-run"]);
    assert!(dry.out.ends_with("1 run would be deleted\n"), "{}", dry.out);
    assert_eq!(ids(&folder, &[]), before);

    let done = dacapo(&folder, &["delete", "order-1001", "order-1002", "--yes"]);
    assert_eq!((done.code, done.out.as_str()), (0, "orders.redb: 2 runs deleted\n"));
    let left: Vec<_> =
        before.into_iter().filter(|id| !["order-1001", "order-1002"].contains(&&**id)).collect();
    assert_eq!(ids(&folder, &[]), left);
    assert_eq!(dacapo(&folder, &["check"]).code, 0);
}

#[test]
fn what_has_not_ended_stays() {
    let folder = copy("unended");
    let before = ids(&folder, &[]);
    let refused = dacapo(&folder, &["delete", "order-1001", "nap-1", "--yes"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.err.contains("cancel it first (it is running): nothing was deleted"),
        "{}",
        refused.err
    );
    assert_eq!(dacapo(&folder, &["delete", "nobody", "--yes"]).code, 3);
    assert_eq!(ids(&folder, &[]), before);
}

#[test]
fn what_is_old_or_too_much_is_pruned() {
    let folder = copy("prune");
    let (ended, unended) =
        (ids(&folder, &["--state", "ended"]), ids(&folder, &["--state", "unfinished"]));
    assert!(ended.len() > 2 && !unended.is_empty(), "{ended:?} {unended:?}");
    assert_eq!(dacapo(&folder, &["prune", "--yes"]).code, 2, "it wants a rule");
    let none = dacapo(&folder, &["prune", "--older-than", "100000d", "--yes"]);
    assert_eq!(none.out, "orders.redb: 0 runs deleted\n");
    let pruned = dacapo(&folder, &["prune", "--keep", "2", "--yes", "--json"]);
    let expected =
        format!("{{\"kind\":\"deleted\",\"runs\":{},\"dry_run\":false}}\n", ended.len() - 2);
    assert_eq!((pruned.code, pruned.out), (0, expected));
    assert_eq!(ids(&folder, &["--state", "ended"]), ended[..2], "those that were started last");
    assert_eq!(ids(&folder, &["--state", "unfinished"]), unended);
}

/// A secret is in the bytes of an export, or no run could go on from it; nothing that is for people shows it, nor
/// does the file that took it in.
#[test]
fn a_secret_is_shown_by_no_export() {
    let folder = copy("secret");
    let exported = dacapo(&folder, &["export", "order-1001"]).out;
    assert!(exported.contains("(secret)") && !exported.contains("4111"), "{exported}");
    fs::write(folder.join("one.jsonl"), exported).expect("it is written");
    let other = crate::support::folder("secret-other");
    drop(dacapo::Executor::builder().open(other.join("other.redb")).expect("it is made"));
    let from = folder.join("one.jsonl");
    let imported = dacapo(&other, &["import", from.to_str().expect("it is text")]);
    assert_eq!(imported.code, 0, "{imported:?}");
    for args in [
        &["value", "order-1001", "input"][..],
        &["show", "order-1001", "--values"],
        &["show", "order-1001", "--json"],
        &["export", "order-1001"],
    ] {
        let called = dacapo(&other, args);
        assert_eq!(called.code, 0, "{called:?}");
        assert!(!called.out.contains("4111"), "{args:?}: {called:?}");
    }
    assert!(dacapo(&other, &["value", "order-1001", "input"]).out.contains("(secret)"));
}

#[test]
fn runs_are_moved_to_another_file() {
    let folder = copy("move");
    let done = dacapo(&folder, &["export", "order-1001", "-o", "one.jsonl"]);
    assert_eq!((done.code, done.out.as_str()), (0, "order-1001 → one.jsonl\n"), "{done:?}");
    let again = dacapo(&folder, &["export", "order-1001", "-o", "one.jsonl"]);
    assert_eq!(again.code, 1, "it is there: {again:?}");
    assert_eq!(dacapo(&folder, &["export", "nobody", "-o", "none.jsonl"]).code, 3);
    assert!(!folder.join("none.jsonl").exists());

    let taken = dacapo(&folder, &["import", "one.jsonl"]);
    assert_eq!(taken.code, 1, "the id exists: {taken:?}");
    assert_eq!(dacapo(&folder, &["delete", "order-1001", "--yes"]).code, 0);
    let imported = dacapo(&folder, &["import", "one.jsonl"]);
    let said = " order-1001  completed: dacapo show order-1001\n";
    assert_eq!((imported.code, &*imported.out), (0, said), "{imported:?}");
    let unended = dacapo(&folder, &["export", "nap-1", "-o", "nap.jsonl"]);
    assert_eq!(unended.code, 0, "{unended:?}");
    let parked = dacapo(&folder, &["import", "nap.jsonl", "-f", "nap.redb"]);
    assert_eq!(parked.out, " ‖ nap-1  parked until: dacapo resume nap-1\n", "{parked:?}");
    fs::remove_file(folder.join("nap.redb")).expect("it was made");
    assert_eq!(dacapo(&folder, &["value", "order-1001", "input"]).code, 0);

    let mut text = fs::read_to_string(folder.join("one.jsonl")).expect("it is text");
    text = text.replacen("\"seq\":1,", "\"seq\":2,", 1);
    fs::write(folder.join("wrong.jsonl"), text).expect("it is written");
    assert_eq!(dacapo(&folder, &["delete", "order-1001", "--yes"]).code, 0);
    let wrong = dacapo(&folder, &["import", "wrong.jsonl"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.err.contains("line "), "{}", wrong.err);
    assert_eq!(dacapo(&folder, &["show", "order-1001"]).code, 3, "nothing was taken in");
}

/// To say what would be done is to look: others may look meanwhile.
#[test]
fn what_is_only_said_needs_no_file_of_its_own() {
    let folder = copy("said");
    let looked_at = dacapo::store::Options::new().read_only();
    let looks = looked_at.open(folder.join("orders.redb")).expect("it is there");
    for args in [
        &["fork", "order-1001", "--at", "3", "--dry-run"][..],
        &["fork", "order-1001", "--at", "3", "--run", "--dry-run"],
        &["delete", "order-1001", "--dry-run"],
        &["retry", "order-1002", "--dry-run"],
    ] {
        let said = dacapo(&folder, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
    }
    drop(looks);
}

/// Those that are not shown are counted, so that nobody takes the ones that are for all.
#[test]
fn of_many_that_would_be_deleted_some_are_shown() {
    use dacapo::{Ctx, Error, Executor, Workflow};

    const ONE: Workflow<u32, u32> = Workflow::new("one");
    let folder = folder("many");
    let one = async |_: &Ctx, n: u32| Ok::<_, Error>(n);
    let executor = Executor::builder().workflow(ONE, one);
    let executor = executor.open(folder.join("many.redb")).expect("it is made");
    for n in 0..22 {
        let run = executor.start(ONE, &format!("one-{n}"), n).expect("it is started");
        executor.block_on(run).expect("it ends");
    }
    drop(executor);
    let said = dacapo(&folder, &["prune", "--keep", "0", "--dry-run"]).out;
    assert!(said.starts_with("   one-21  one  completed\n"), "{said}");
    let end = "   one-2  one  completed\n   and 2 more\nmany.redb: 22 runs would be deleted\n";
    assert!(said.ends_with(end), "{said}");
}

/// As one program hands it to the next: `dacapo export ID | ssh desk dacapo -f mine.redb import -`.
#[test]
fn an_export_is_read_from_the_input() {
    let folder = copy("piped");
    let exported = dacapo(&folder, &["export", "order-1001", "-o", "one.jsonl"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let mut import = std::process::Command::new(env!("CARGO_BIN_EXE_dacapo"));
    import.current_dir(&folder).args(["-f", "mine.redb", "import", "-"]);
    import.stdin(fs::File::open(folder.join("one.jsonl")).expect("it was made"));
    let imported = import.output().expect("it is called");
    assert!(imported.status.success(), "{imported:?}");
    assert_eq!(dacapo(&folder, &["-f", "mine.redb", "show", "order-1001"]).code, 0);
}

/// An import keeps the ids, so another id is no way out.
#[test]
fn what_is_there_is_not_imported_again() {
    let folder = copy("again");
    assert_eq!(dacapo(&folder, &["export", "order-1001", "-o", "one.jsonl"]).code, 0);
    let again = dacapo(&folder, &["import", "one.jsonl"]);
    assert_eq!((again.code, again.out.as_str()), (1, ""), "{again:?}");
    let says =
        "there is a run \"order-1001\" already: import into another file, or delete that run";
    assert!(again.err.contains(says), "{}", again.err);
}
