//! Runs that are deleted: which may be, when, and what is left.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Crash, Snapshots};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Error, Executor, Result, WeakExecutor, Workflow, join};

use super::open;

const W: Workflow<u32, u32> = Workflow::new("w");
const PANICS: Workflow<u32, u32> = Workflow::new("panics");
const SLEEPS: Workflow<u32, u32> = Workflow::new("sleeps");

fn build() -> Builder {
    Executor::builder()
        .workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.step("one", async move || Ok::<_, Error>(n)).await
        })
        .workflow(PANICS, async |_: &Ctx, _: u32| -> Result<u32> { panic!("no cup") })
        .workflow(SLEEPS, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.sleep(Duration::from_secs(1_000)).await;
            Ok(n)
        })
}

/// A run that has ended, and what it is stored in.
fn ended() -> (Executor, Snapshots) {
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(W, "run", 1).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
    (executor, store)
}

/// Nothing is left of the run, its id is free, and that stays so.
#[track_caller]
fn assert_free(executor: Executor, store: &Snapshots) {
    assert!(executor.attach(W, "run").expect_err("it is gone").to_string().contains("no run"));
    assert!(executor.parked().expect("readable").is_empty());
    let run = executor.start(W, "run", 7).expect("its id is free");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    drop(executor);
    let (executor, _) = open(build(), store.now());
    let run = executor.attach(W, "run").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it has ended"), 7);
    executor.verify("run").expect("its history is its own");
}

#[test]
fn a_run_that_has_ended_is_deleted() {
    let (executor, store) = ended();
    executor.block_on(executor.delete("run")).expect("it has ended");
    assert_free(executor, &store);
}

#[test]
fn a_parked_run_is_deleted() {
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(PANICS, "run", 1).expect("new");
    assert!(executor.block_on(run).expect_err("it panics").is_parked());
    executor.block_on(executor.delete("run")).expect("it is parked");
    assert_free(executor, &store);
}

#[test]
fn a_run_whose_parking_is_not_committed_is_deleted() {
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(PANICS, "run", 1).expect("new");
    let deleted = executor.block_on(async {
        run.accepted().await.expect("it is committed");
        let row = store.find("run").expect("readable").expect("it is there");
        assert_eq!(row.state, dacapo::store::RunState::Running, "its parking is not");
        assert_eq!(executor.parked().expect("readable").len(), 1);
        executor.delete("run").await
    });
    deleted.expect("it is parked");
    assert!(executor.block_on(run).expect_err("it was parked").is_parked());
    assert_free(executor, &store);
}

#[test]
fn what_has_not_ended_is_not_deleted() {
    let (executor, store) = open(build().resident_max(0), MemoryStore::new());
    let run = executor.start(SLEEPS, "run", 1).expect("new");
    let message = r#"run "run" has not ended and is not parked, so it cannot be deleted"#;
    let refused = |executor: &Executor| {
        let error = executor.block_on(executor.delete("run")).expect_err("it is refused");
        assert_eq!(error.to_string(), message);
    };
    refused(&executor);
    executor.block_on(run.accepted()).expect("it is committed");
    assert_eq!(format!("{executor:?}"), "Executor { runs: 0, .. }", "it has left memory");
    refused(&executor);
    drop(executor);

    let (executor, _) = open(Executor::builder(), store.now());
    assert_eq!(executor.unregistered().expect("readable").len(), 1);
    refused(&executor);
    let error = executor.block_on(executor.delete("other")).expect_err("there is none");
    assert_eq!(error.to_string(), r#"there is no run "other": check the id, or start it"#);
}

#[test]
fn a_run_is_deleted_twice_at_once() {
    let (executor, store) = ended();
    let (one, other) = executor.block_on(join(executor.delete("run"), executor.delete("run")));
    one.and(other).expect("both are told when it is gone");
    let error = executor.block_on(executor.delete("run")).expect_err("it is gone");
    assert!(error.to_string().contains("there is no run"), "{error}");
    assert_free(executor, &store);
}

#[test]
fn nobody_waits_for_the_deletion() {
    let (executor, store) = ended();
    executor.block_on(async {
        let mut deleted = executor.delete("run");
        assert!(futures::poll!(&mut deleted).is_pending());
    });
    assert_free(executor, &store);
}

/// A parked run that is to be deleted is not taken up again before that.
#[test]
fn a_run_is_resumed_while_it_is_deleted() {
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(PANICS, "run", 1).expect("new");
    executor.block_on(run).expect_err("it panics");
    executor.block_on(async {
        let mut deleted = executor.delete("run");
        assert!(futures::poll!(&mut deleted).is_pending());
        let error = executor.resume("run").expect_err("it is as good as gone");
        assert!(error.to_string().contains("there is no run"), "{error}");
        deleted.await.expect("it is parked");
    });
    assert_free(executor, &store);
}

#[test]
fn a_crash_before_the_commit_of_a_deletion_and_after_it() {
    for is_stored in [false, true] {
        let (_, store) = ended();
        let (executor, store) = open(build(), store.now());
        store.crash(if is_stored { Crash::After(1) } else { Crash::Before(1) });
        let error = executor.block_on(executor.delete("run")).expect_err("it is not told");
        assert!(error.is_store(), "{error}");
        drop(executor);

        let (executor, store) = open(build(), store.now());
        if !is_stored {
            let run = executor.attach(W, "run").expect("it is as it was");
            assert_eq!(executor.block_on(run).expect("it has ended"), 1);
            executor.block_on(executor.delete("run")).expect("it has ended");
        }
        assert_free(executor, &store);
    }
}

#[test]
fn the_executor_goes_before_a_deletion_is_committed() {
    let (executor, store) = ended();
    let (mut asked, unasked) = (executor.delete("run"), executor.delete("run"));
    assert!(executor.block_on(async { futures::poll!(&mut asked).is_pending() }));
    drop(executor);
    // The turn in which it was asked for ended with a commit.
    futures::executor::block_on(asked).expect("it is committed");
    let error = futures::executor::block_on(unasked).expect_err("it was never asked for");
    assert!(error.to_string().contains("the executor was dropped"), "{error}");
    assert!(store.find("run").expect("readable").is_none());

    let (executor, store) = ended();
    let mut asked = executor.delete("run");
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::future::Future::poll(std::pin::Pin::new(&mut asked), &mut cx).is_pending());
    drop(executor);
    let error = futures::executor::block_on(asked).expect_err("it is not committed");
    assert!(error.to_string().contains("the executor was dropped"), "{error}");
    assert!(store.find("run").expect("readable").is_some());
}

/// A replay would delete it again, and another run by then.
#[test]
fn a_workflow_deletes_nothing() {
    const DELETES: Workflow<(), String> = Workflow::new("deletes");
    let weak = Rc::new(RefCell::new(None::<WeakExecutor>));
    let held = weak.clone();
    let builder = build().workflow(DELETES, async move |_: &Ctx, ()| -> Result<String> {
        let weak = held.borrow().clone().expect("it is set");
        let deleted = weak.with(|executor| executor.delete("run"))?;
        Ok(deleted.await.expect_err("it is refused").to_string())
    });
    let (executor, store) = open(builder, MemoryStore::new());
    *weak.borrow_mut() = Some(executor.weak());
    let parked = executor.start(PANICS, "run", 1).expect("new");
    let refused = executor.start(DELETES, "deletes", ()).expect("new");
    let message = r#"run "run" cannot be deleted by a workflow: use what Ctx has, or a body"#;
    assert_eq!(executor.block_on(refused).expect("it ends"), message);
    assert!(executor.block_on(parked).expect_err("it panics").is_parked());
    assert!(store.find("run").expect("readable").is_some());
}
