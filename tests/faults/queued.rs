//! Bodies that were only queued when their process ended, behind one that ends it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{Attempt, Builder, Ctx, Error, Executor, ParkReason, Retry, Workflow, yield_now};

const RUN: Workflow<u32, u32> = Workflow::new("run");
const RUNS: u32 = 1001;

/// How a process ends: the state that it leaves, taken by the body that ends it. From then on nothing
/// that happens counts.
#[derive(Clone, Default)]
struct Crash {
    seen: Rc<RefCell<Option<MemoryStore>>>,
    left: Rc<RefCell<Option<MemoryStore>>>,
    /// Which attempts were begun, by run.
    begun: Rc<RefCell<BTreeMap<u32, Vec<u32>>>>,
}

impl Crash {
    fn end(&self) {
        *self.left.borrow_mut() = self.seen.borrow().as_ref().map(MemoryStore::snapshot);
    }

    fn has_ended(&self) -> bool {
        self.left.borrow().is_some()
    }

    fn begin(&self, run: u32, attempt: u32) {
        if !self.has_ended() {
            self.begun.borrow_mut().entry(run).or_default().push(attempt);
        }
    }

    /// One process, until a body ends it, or nothing happens any more: the state after it.
    fn process(&self, builder: Builder, stored: &MemoryStore, start: bool) -> MemoryStore {
        let live = stored.snapshot();
        *self.seen.borrow_mut() = Some(live.shared());
        self.left.take();
        let executor = builder.open_with(live.shared()).expect("it opens");
        let runs = (0..if start { RUNS } else { 0 }).map(|n| start_one(&executor, n));
        let _runs: Vec<_> = runs.collect();
        executor.block_on(async {
            for _ in 0..3 * RUNS {
                if self.has_ended() {
                    break;
                }
                yield_now().await;
            }
        });
        self.left.take().unwrap_or_else(|| live.snapshot())
    }
}

fn start_one(executor: &Executor, n: u32) -> dacapo::Handle<u32> {
    executor.start(RUN, &format!("run-{n}"), n).expect("new")
}

/// Each run is one step; that of the run `deadly` does `harm`.
fn build(crash: &Crash, deadly: u32, retry: Retry, harm: fn(&Crash)) -> Builder {
    let crash = crash.clone();
    Executor::builder().workflow(RUN, async move |ctx: &Ctx, run: u32| {
        let crash = crash.clone();
        let body = async move |attempt: Attempt| {
            crash.begin(run, attempt.number());
            if run == deadly {
                harm(&crash);
                std::future::pending::<()>().await;
            }
            Ok::<_, Error>(run)
        };
        ctx.step_with("do it", body).retry(retry).await
    })
}

/// Ten processes end in the body of one run, wherever it stands in the queue. It is parked, and all others
/// succeed.
#[track_caller]
fn check(deadly: u32, retry: Retry, ends: usize) {
    let crash = Crash::default();
    let builder = || build(&crash, deadly, retry, Crash::end);
    let mut stored = MemoryStore::new();
    for process in 0..ends {
        stored = crash.process(builder(), &stored, process == 0);
    }
    let executor = builder().open_with(stored).expect("it opens");
    let others = (0..RUNS).filter(|run| *run != deadly);
    let others = others.map(|run| (run, executor.attach(RUN, &format!("run-{run}"))));
    let others: Vec<_> = others.map(|(run, found)| (run, found.expect("it is there"))).collect();
    for (run, handle) in others {
        assert_eq!(executor.block_on(handle).expect("it was only queued"), run);
    }
    let begun = crash.begun.borrow();
    assert_eq!(begun[&deadly].len(), ends, "it began in each process");
    let others = begun.iter().filter(|(run, _)| **run != deadly);
    for (run, begun) in others {
        // They may have begun before it, and nothing of them was committed, until it stands alone.
        assert!(begun.len() <= 5, "{run}: {begun:?}");
        // Whatever began counts: no attempt is made twice under one number.
        assert!(begun.is_sorted_by(|one, next| one < next), "{run}: {begun:?}");
    }
    if retry == Retry::never() {
        assert_eq!(begun[&deadly], Vec::from_iter(1..=10), "each of its attempts counts");
        let parked = executor.parked().expect("memory");
        assert_eq!((parked.len(), parked[0].reason), (1, ParkReason::EndedProcess));
        assert_eq!(parked[0].id, format!("run-{deadly}"));
    }
}

#[test]
fn the_first_body_ends_the_process() {
    check(0, Retry::never(), 10);
}

#[test]
fn a_body_in_the_midst_ends_the_process() {
    check(500, Retry::never(), 10);
}

#[test]
fn the_last_body_ends_the_process() {
    check(RUNS - 1, Retry::never(), 10);
}

/// One whose limit of attempts is low stands alone before its last one.
#[test]
fn with_a_limit_of_attempts() {
    check(0, Retry::exponential(Duration::ZERO).max_attempts(3), 3);
}

/// An end in order takes back nothing: the crash before it still counts, once.
#[test]
fn an_end_in_order_between() {
    let crash = Crash::default();
    let builder = || build(&crash, 0, Retry::never(), Crash::end);
    let stored = crash.process(builder(), &MemoryStore::new(), true);
    let stored = crash.process(builder(), &stored, false);
    let executor = builder().open_with(stored.shared()).expect("it opens");
    executor.block_on(executor.shutdown(Duration::ZERO)).expect("it ends in order");
    drop(executor);
    crash.process(builder(), &stored, false);
    let begun = crash.begun.borrow();
    // These were deferred when it ended.
    assert!((256..RUNS).all(|run| begun[&run] == [2]), "{begun:?}");
    assert_eq!(begun[&0], [1, 2, 3]);
}

const CHILD: &str = "DACAPO_QUEUED";

fn abort(_: &Crash) {
    std::process::abort();
}

fn open_file(path: &str) -> Executor {
    let builder = build(&Crash::default(), 0, Retry::never(), abort);
    builder.open(path).expect("it opens")
}

/// Not a test: what `processes_that_abort` starts.
#[test]
fn a_process_that_aborts() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let executor = open_file(&path);
    let runs: Vec<_> = (0..RUNS).map(|n| start_one(&executor, n)).collect();
    executor.block_on(dacapo::join_all(runs));
}

/// The same with real processes and a real file: the eleventh one is this.
#[test]
fn processes_that_abort() {
    let path = std::env::temp_dir().join(format!("dacapo-queued-{}.redb", std::process::id()));
    let path = path.to_str().expect("it is text").to_owned();
    for _ in 0..10 {
        let mut child = Command::new(std::env::current_exe().expect("this is one"));
        child.args(["--exact", "faults::queued::a_process_that_aborts"]).env(CHILD, &path);
        let child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let status = child.and_then(|mut child| child.wait()).expect("it starts");
        assert!(!status.success(), "it aborts");
    }
    let executor = open_file(&path);
    for n in 1..RUNS {
        let run = executor.attach(RUN, &format!("run-{n}")).expect("it is there");
        assert_eq!(executor.block_on(run).expect("it was only queued"), n);
    }
    assert_eq!(executor.parked().expect("it can be read")[0].reason, ParkReason::EndedProcess);
    drop(executor);
    std::fs::remove_file(path).expect("it is there");
}
