//! An executor on a thread of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dacapo::{Attempt, Builder, Ctx, Executor, Result, Spawned, Workflow, spawn};
use futures::FutureExt;
use futures::executor::block_on;

use super::{ECHO, build};

const HOUR: Duration = Duration::from_secs(3_600);
const SLOW: Workflow<(), u32> = Workflow::new("slow");

struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The first body never ends, the second one does. It says which attempt it was.
fn slow(begun: &'static AtomicU32) -> impl FnOnce() -> Builder + Send {
    move || {
        build().workflow(SLOW, async move |ctx: &Ctx, ()| -> Result<u32> {
            let body = async move |attempt: Attempt| {
                if begun.fetch_add(1, Ordering::SeqCst) == 0 {
                    std::future::pending::<()>().await;
                }
                Ok::<_, dacapo::Error>(attempt.number())
            };
            ctx.step_with("slow", body).await
        })
    }
}

/// Starts the slow run, and waits until its body is under way.
fn under_way(executor: &Spawned, begun: &AtomicU32) {
    let remote = executor.remote();
    block_on(async {
        remote.start(SLOW, "slow-1", ()).accepted().await.expect("it is committed");
        while begun.load(Ordering::SeqCst) == 0 {
            remote.with(|_| ()).await.expect("it is driven");
        }
    });
}

fn attempts(file: &File, begun: &'static AtomicU32) -> u32 {
    let executor = spawn(slow(begun), &file.0).expect("the file is free");
    block_on(executor.remote().attach(SLOW, "slow-1")).expect("it ends")
}

#[test]
fn it_is_served_and_shut_down() {
    let file = File::new("spawned.redb");
    let executor = spawn(build, &file.0).expect("it opens");
    let remote = executor.remote();
    let name = remote.with(|_| std::thread::current().name().map(str::to_owned));
    assert_eq!(block_on(name).expect("it is called").as_deref(), Some("dacapo"));
    assert_eq!(block_on(remote.start(ECHO, "one", 1)).expect("it ends"), 1);
    block_on(executor.shutdown(HOUR)).expect("it ends in order");
    assert!(block_on(remote.failed()).is_closed());
    // The file is free, and holds what was done.
    let executor = spawn(build, &file.0).expect("it opens");
    assert_eq!(block_on(executor.remote().attach(ECHO, "one")).expect("it has ended"), 1);
}

#[test]
fn what_is_wrong_with_the_file_comes_from_spawn() {
    let file = File::new("spawned-twice.redb");
    let _executor = spawn(build, &file.0).expect("it opens");
    assert!(spawn(build, &file.0).expect_err("it is in use").is_store());
}

#[test]
#[should_panic(expected = "registered")]
fn a_build_that_panics_panics_in_spawn() {
    let file = File::new("spawned-panics.redb");
    let twice = || {
        let builder: Builder = Executor::builder();
        let echo = async |_: &Ctx, n: u32| Ok::<_, dacapo::Error>(n);
        builder.workflow(ECHO, echo).workflow(ECHO, echo)
    };
    let _executor = spawn(twice, &file.0);
}

/// As dropping an executor: the file is free when it returns, and what was under way counts.
#[test]
fn dropping_it_stops_it_where_it_is() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    let file = File::new("spawned-dropped.redb");
    let executor = spawn(slow(&BEGUN), &file.0).expect("it opens");
    under_way(&executor, &BEGUN);
    let waits = executor.remote().attach(SLOW, "slow-1");
    drop(executor);
    assert!(block_on(waits).expect_err("it has not ended").is_closed());
    assert_eq!(attempts(&file, &BEGUN), 1);
}

#[test]
fn shutting_it_down_counts_no_attempt() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    let file = File::new("spawned-shut-down.redb");
    let executor = spawn(slow(&BEGUN), &file.0).expect("it opens");
    under_way(&executor, &BEGUN);
    block_on(executor.shutdown(Duration::from_millis(1))).expect("it ends in order");
    assert_eq!(attempts(&file, &BEGUN), 1);
}

/// Whoever no longer waits for the grace ends it.
#[test]
fn a_grace_that_nobody_waits_for_is_cut_off() {
    static BEGUN: AtomicU32 = AtomicU32::new(0);
    let file = File::new("spawned-cut-off.redb");
    let executor = spawn(slow(&BEGUN), &file.0).expect("it opens");
    under_way(&executor, &BEGUN);
    assert!(executor.shutdown(HOUR).now_or_never().is_none());
    assert_eq!(attempts(&file, &BEGUN), 1);
}

/// There it cannot be waited for.
#[test]
fn it_may_be_dropped_on_its_own_thread() {
    let file = File::new("spawned-drops-itself.redb");
    let executor = spawn(build, &file.0).expect("it opens");
    let remote = executor.remote();
    let failed = remote.failed();
    block_on(remote.with(move |_| drop(executor))).expect("it is called");
    assert!(block_on(failed).is_closed());
}
