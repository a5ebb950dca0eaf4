//! Real processes that end in the midst of a replay, a rehearsal or a panic hook: whom the next one names.

use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;

use dacapo::store::RedbStore;
use dacapo::{Ctx, Cut, Event, Executor, Observer, ParkReason, Result, Workflow, yield_now};

use super::Told;
use super::poisoned::{POISONED, RUNS, all_but_one_end, build, start};

const CHILD: &str = "DACAPO_CHILD";

/// The file that a child is to open, if this is one.
fn of_child() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs one of the functions below that are no tests in a process of its own.
fn run(name: &str, path: &Path) -> Output {
    let mut child = Command::new(std::env::current_exe().expect("this is one"));
    let name = format!("faults::processes::{name}");
    child.args(["--exact", &name, "--nocapture"]).env(CHILD, path);
    child.output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A store with runs in it, in a directory of its own.
fn stored(name: &str) -> (PathBuf, PathBuf) {
    let directory = std::env::temp_dir().join(format!("dacapo-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("it can be made");
    let path = directory.join("runs");
    start(RedbStore::open(&path).expect("it is made"));
    (directory, path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}.{ending}", path.display()))
}

fn aborts() -> Rc<dyn Fn()> {
    Rc::new(|| std::process::abort())
}

#[test]
fn a_process_that_aborts() {
    if let Some(path) = of_child() {
        let _ = build(Some(aborts())).open(path);
    }
}

/// The process after the third end is this one.
#[test]
fn processes_that_abort() {
    let (directory, path) = stored("aborts");
    for _ in 0..3 {
        assert!(!run("a_process_that_aborts", &path).status.success(), "it aborts");
        assert!(beside(&path, "replaying").exists());
    }
    let executor = build(Some(aborts())).open(&path).expect("it opens");
    assert_eq!(executor.parked().expect("it can be read")[0].id, POISONED);
    all_but_one_end(&executor);
    drop(executor);
    assert!(!beside(&path, "replaying").exists(), "what ends in order leaves nothing");
    std::fs::remove_dir_all(directory).expect("it is there");
}

/// Who opens the file in between, without the code or to copy a run, does not take the ends back that were counted:
/// neither one that changes nothing, nor one that commits.
#[test]
fn others_may_open_between_the_ends() -> Result<()> {
    let (directory, path) = stored("between");
    for end in 0..3 {
        assert!(!run("a_process_that_aborts", &path).status.success(), "it aborts");
        drop(Executor::builder().open(&path)?);
        drop(RedbStore::open(&path)?);
        let executor = build(None).look_at(RedbStore::open(&path)?)?;
        executor.rehearse_fork("run-7", Cut::at(1), "copy")?;
        drop(executor);
        let executor = Executor::builder().open(&path)?;
        executor.hold(&format!("run-{end}"))?;
        drop(executor);
        assert!(beside(&path, "replaying").exists());
    }
    let executor = build(Some(aborts())).open(&path)?;
    executor.block_on(yield_now());
    let parked = executor.parked()?;
    assert_eq!((&*parked[3].id, parked[3].reason), (POISONED, ParkReason::EndedProcess));
    drop(executor);
    assert!(!beside(&path, "replaying").exists(), "what ends in order leaves nothing");
    std::fs::remove_dir_all(directory).expect("it is there");
    Ok(())
}

/// Says which run is rehearsed, before any of its code runs.
struct Ahead;

impl Observer for Ahead {
    fn observe(&self, _: &str, _: Event<'_>) {}

    fn rehearse(&self, run: &str, event: Event<'_>) {
        if let Event::Delivered(0, _) = event {
            eprintln!("rehearsing {run}");
        }
    }
}

#[test]
fn a_rehearsal_that_aborts() {
    if let Some(path) = of_child() {
        let _ = build(Some(aborts())).observer(Ahead).rehearse(path);
    }
}

/// The next rehearsal knows whom the one before ended with, and the live executor is not concerned: it may well
/// be another build. Where nothing can be written the observer has the last word.
#[test]
fn rehearsals_that_abort() -> Result<()> {
    let (directory, path) = stored("rehearsals");
    let told = Told::default();
    for _ in 0..3 {
        let output = run("a_rehearsal_that_aborts", &path);
        assert!(!output.status.success(), "it aborts");
        let last = said(&output).lines().rfind(|line| line.starts_with("reh")).map(str::to_owned);
        assert_eq!(last.as_deref(), Some("rehearsing run-50"));
        assert!(beside(&path, "rehearsing").exists() && !beside(&path, "replaying").exists());
        // To look at the file forgets nothing.
        drop(dacapo::store::Options::new().read_only().open(&path)?);
        assert!(beside(&path, "rehearsing").exists());
    }
    let rehearsed = build(Some(aborts())).observer(told.clone()).rehearse(&path)?;
    assert_eq!((rehearsed.tried, rehearsed.parked.len()), (RUNS, 1));
    assert_eq!(
        (&*rehearsed.parked[0].id, rehearsed.parked[0].reason),
        (POISONED, ParkReason::EndedProcess)
    );
    assert!(!beside(&path, "rehearsing").exists(), "it has been said");
    run("a_rehearsal_that_aborts", &path);
    let rehearsed = build(None).observer(told.clone()).rehearse(&path)?;
    assert!(rehearsed.parked.is_empty());
    let line = r#"the process ended while run "run-50" was replayed; after 3 such ends it is parked, by now: 1"#;
    assert_eq!(told.0.take(), [line]);
    let executor = build(None).observer(told.clone()).open(&path)?;
    assert!(executor.parked()?.is_empty() && told.0.take().is_empty());
    drop(executor);
    std::fs::remove_dir_all(directory).expect("it is there");
    Ok(())
}

#[test]
fn a_process_whose_hook_panics() {
    if let Some(path) = of_child() {
        panic::set_hook(Box::new(|_| panic!("so does the hook")));
        let _ = build(Some(Rc::new(|| panic!("poisoned")))).open(path);
    }
}

/// Nothing stands between the two: a panic of the hook ends the process, whosever panic it was called for. A run
/// that panics is parked then as one that ends the process.
#[test]
fn a_panic_hook_that_panics() {
    let (directory, path) = stored("hook");
    for _ in 0..3 {
        assert!(!run("a_process_whose_hook_panics", &path).status.success(), "it aborts");
    }
    let executor = build(Some(aborts())).open(&path).expect("it opens");
    let parked = executor.parked().expect("it can be read");
    assert_eq!((&*parked[0].id, parked[0].reason), (POISONED, ParkReason::EndedProcess));
    all_but_one_end(&executor);
    drop(executor);
    std::fs::remove_dir_all(directory).expect("it is there");
}

const BREAK: Workflow<u8, ()> = Workflow::new("break");

/// Panics whenever it is told of anything.
struct Brittle;

impl Observer for Brittle {
    fn observe(&self, run: &str, event: Event<'_>) {
        assert!(run != "observed" || !matches!(event, Event::Delivered(0, _)), "observer");
    }
}

#[test]
fn a_process_whose_hook_prints() {
    if of_child().is_none() {
        return;
    }
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("nothing");
        let thread = std::thread::current().id();
        eprintln!("hook: {message} in {thread:?}");
    }));
    let main = std::thread::current().id();
    let body = async |ctx: &Ctx, n: u8| -> Result<()> {
        assert!(n != 0, "workflow");
        let works = async move || -> Result<()> {
            assert!(n != 1, "body");
            Ok(())
        };
        ctx.step("work", works).await
    };
    let executor = Executor::builder().workflow(BREAK, body).observer(Brittle).in_memory();
    let end = |id, n| executor.block_on(executor.start(BREAK, id, n).expect("new"));
    assert!(end("parked", 0).expect_err("it panics").is_parked());
    assert!(end("failed", 1).expect_err("it panics").is_panic());
    end("observed", 2).expect("it ends");
    executor.block_on(yield_now());
    eprintln!("all in {main:?}");
}

/// It is called once for each panic that is caught, in the thread where that is, before it is caught.
#[test]
fn a_panic_hook_that_prints() {
    let output = run("a_process_whose_hook_prints", Path::new("none"));
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("hook: ")).collect();
    let thread = said.lines().find_map(|line| line.strip_prefix("all in ")).expect("it ended");
    let expected = ["workflow", "body", "observer"].map(|who| format!("hook: {who} in {thread}"));
    assert_eq!(lines, expected);
}
