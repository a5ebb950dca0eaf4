//! A program of one's own: the commands with its workflows, on a file at rest.
//!
//! It calls itself: with a variable set it is that program.

mod poisoned;
mod typed;
mod types;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Workflow};

const PROGRAM: &str = "DACAPO_TEST_OWN";

const ORDER: Workflow<u64, u64> = Workflow::new("order");
const APPROVAL: Channel<bool> = Channel::new("approval");

fn build() -> Builder {
    // The second release has a bug.
    let release = env::var(PROGRAM).unwrap_or_default();
    let is_broken = release == "2";
    let builder = poisoned::add(types::add(Executor::builder()), &release);
    builder.channel(APPROVAL).workflow(ORDER, async move |ctx: &Ctx, cents: u64| {
        let name = if is_broken { "hold" } else { "reserve" };
        ctx.step(name, async || Ok::<_, Error>(())).await?; // FIRST
        match ctx.receive(APPROVAL).await {
            true => ctx.step("charge", async move || Ok::<_, Error>(cents)).await,
            false => Err(Error::new("not approved")),
        }
    })
}

/// The line of the code that ends with this comment.
fn line_of(comment: &str) -> String {
    let end = format!("// {comment}");
    let lines = include_str!("main.rs").lines();
    let line = (1..).zip(lines).find(|(_, line)| line.ends_with(&end)).expect("it is there").0;
    format!("{}:{line}", file!())
}

fn main() -> ExitCode {
    match env::var(PROGRAM).as_deref() {
        Ok("backup") => return backup(),
        Ok(_) => return dacapo_cli::run(build()),
        Err(_) => {}
    }
    // As the tests do that have a harness: with a filter that is not meant for it there is nothing to do.
    if env::args().skip(1).any(|arg| !arg.starts_with('-') && !"own".contains(&*arg)) {
        return ExitCode::SUCCESS;
    }
    test().expect("it goes well");
    poisoned::test().expect("it goes well");
    typed::test(folder("typed")).expect("it goes well");
    println!("test own ... ok");
    ExitCode::SUCCESS
}

/// A process that copies its file while it runs.
fn backup() -> ExitCode {
    let executor = build().open("orders.redb").expect("it opens");
    let Err(why) = executor.backup("copy.redb") else { return ExitCode::SUCCESS };
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// The limit of a process on files stands for a disk that is full.
fn backup_on_a_full_disk(folder: &Path) {
    let file = folder.join("orders.redb");
    let before = std::fs::read(&file).expect("it is there");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\""]).current_dir(folder);
    let called = command.arg(env::current_exe().expect("it has a path")).env(PROGRAM, "backup");
    let called = called.output().expect("it is called");
    let said = String::from_utf8(called.stderr).expect("it is text");
    assert_eq!((called.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("cannot copy ") && said.contains("copy.redb: "), "{said}");
    let left = std::fs::read_dir(folder).expect("it is there").count();
    assert_eq!(left, 1, "a part of a copy is none");
    assert!(std::fs::read(&file).expect("it is there") == before, "it was changed");
    assert_eq!(call(folder, "1", &["check"]).0, 0);
}

/// The code, what was printed, and what went wrong.
fn call(folder: &Path, release: &str, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env::current_exe().expect("it has a path"));
    command.current_dir(folder).args(args).env(PROGRAM, release).env("COLUMNS", "80");
    let called = command.env("TZ", "UTC").env_remove("DACAPO_FILE").output().expect("it is called");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (called.status.code().expect("it ends by itself"), text(called.stdout), text(called.stderr))
}

#[track_caller]
fn done(folder: &Path, release: &str, args: &[&str]) -> String {
    let (code, out, err) = call(folder, release, args);
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
    out
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it can be made");
    folder
}

fn test() -> Result<()> {
    let folder = folder("own");
    let executor = build().open(folder.join("orders.redb"))?;
    executor.block_on(async {
        for id in ["a", "b", "c"] {
            executor.start(ORDER, id, 7)?.accepted().await?;
        }
        for _ in 0..20 {
            dacapo::yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    drop(executor);
    backup_on_a_full_disk(&folder);
    let state = |id: &str| {
        let why = done(&folder, "1", &["why", id, "--json"]);
        let at = why.find("\"state\":\"").expect("it has one") + 9;
        why[at..].split('"').next().unwrap_or_default().to_owned()
    };

    assert_eq!(done(&folder, "1", &["cancel", "a", "--yes"]), "orders.redb: 1 run asked to end\n");
    assert_eq!((state("a"), state("b")), ("cancelled".into(), "running".into()));
    assert_eq!(done(&folder, "1", &["retry", "a", "--yes"]), "orders.redb: 1 run retried\n");
    assert_eq!(state("a"), "running");

    // Before a release: which runs it would not repeat.
    let good = done(&folder, "1", &["check", "--code"]);
    assert_eq!(good, "orders.redb: 3 runs replayed: this build repeats all of them\n");
    let (code, bad, _) = call(&folder, "2", &["check", "--code"]);
    assert_eq!(code, 4, "{bad}");
    let expected = format!(
        "\
✗ a · order · diverged
   history                              │ code
 0 its start                            │ ✓ the same
 1 outcome of step 1 \"reserve\"          │ ✗ asks for step 1 \"hold\"
                                        │   at {}
 2 a request to end                     │ not reached
 restore the code that wrote",
        line_of("FIRST")
    );
    assert!(bad.contains(&expected), "{bad}");
    assert!(bad.ends_with("orders.redb: 3 runs replayed: 3 runs would be parked\n"), "{bad}");
    assert!(bad.contains("\n and the same with 2 others: b, c\n"), "{bad}");
    assert_eq!(bad.matches("✗ asks for step").count(), 1, "{bad}");
    let (_, bad, _) = call(&folder, "2", &["check", "--code", "--json"]);
    let source = format!("\"source\":\"{}\"", line_of("FIRST"));
    assert_eq!(bad.matches(&source).count(), 3, "{bad}");
    assert_eq!(state("b"), "running");

    // A release that does otherwise parks a run when something comes to it.
    assert_eq!(call(&folder, "2", &["send", "b", "approval", "true"]).0, 0);
    assert_eq!((state("b"), state("c")), ("parked".into(), "running".into()));
    let why = done(&folder, "1", &["parked", "b"]);
    assert!(
        why.contains(" 1 outcome of step 1 \"reserve\"          │ ✗ asks for step 1 \"hold\"\n"),
        "{why}"
    );
    // That release has no such line; the one that parked it has.
    assert!(!why.contains(".rs:"), "{why}");
    let why = done(&folder, "2", &["parked", "b"]);
    assert!(why.contains(&format!("│   at {}\n", line_of("FIRST"))), "{why}");
    let resumed = done(&folder, "1", &["resume", "--reason", "diverged", "--yes"]);
    assert_eq!(resumed, "orders.redb: 2 runs resumed\n", "a is replayed when it opens");
    assert_ne!(state("b"), "parked");

    let fork = done(&folder, "1", &["fork", "b", "--at", "1", "--dry-run"]);
    assert!(fork.contains(" begins    step 1 \"reserve\""), "{fork}");
    done(&folder, "1", &["fork", "c", "--before", "1", "--as", "c-again"]);
    assert_eq!((state("c"), state("c-again")), ("running".into(), "parked".into()));
    done(&folder, "1", &["resume", "c-again", "--yes"]);
    assert_eq!(state("c-again"), "running");
    let fork = done(&folder, "1", &["fork", "b", "--at", "1", "--as", "d", "--run"]);
    assert!(fork.contains("It goes on: dacapo show d"), "{fork}");
    assert_eq!(state("d"), "running");
    assert_eq!(call(&folder, "1", &["resume", "d", "--yes"]).0, 5);
    assert_eq!(call(&folder, "1", &["resume", "nobody", "--yes"]).0, 3);

    assert_eq!(done(&folder, "1", &["start", "order", "e", "9"]), "e is started: order\n");
    assert_eq!(state("e"), "running");
    let sent = done(&folder, "1", &["send", "e", "approval", "true", "--key", "mail-3"]);
    assert_eq!(sent, "e has it, on channel \"approval\"\n");
    for (args, code, says) in [
        (&["start", "order", "e", "9"][..], 2, "there is a run with this id already"),
        (&["start", "order", "f", "\"9\""], 2, "expected u64"),
        (&["start", "shipment", "f", "9"], 2, "no workflow \"shipment\""),
        (&["send", "c", "approval", "yes"], 2, "expected"),
        (&["send", "c", "cents", "7"], 2, "Builder::channel"),
        (&["send", "nobody", "approval", "true"], 3, "there is no run"),
        (&["send", "a", "approval", "{"], 2, "approval"),
    ] {
        let (was, _, err) = call(&folder, "1", args);
        assert!(was == code && err.contains(says), "{args:?}: {was} {err}");
    }
    Ok(())
}
