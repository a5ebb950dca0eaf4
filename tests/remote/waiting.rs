//! Those who wait in other threads are told, whatever happens to the executor.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore};
use dacapo::{Builder, Ctx, Remote, RemoteHandle, Result, Workflow};
use futures::FutureExt;
use futures::executor::block_on;

use super::{ECHO, build, elsewhere};

const NAP: Workflow<u64, u64> = Workflow::new("nap");

fn nap() -> Builder {
    build().workflow(NAP, async |ctx: &Ctx, seconds: u64| -> Result<u64> {
        ctx.sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    })
}

/// The file is full, at each commit in turn: all who wait get the error of the store.
#[test]
fn a_store_that_fails_is_an_error_of_all_who_wait() {
    for commits in 0..3 {
        let store = MemoryStore::new();
        store.fail_after(commits);
        let executor = build().open_with(store).expect("it opens");
        let errors = elsewhere(&executor, async move |remote: Remote| {
            let runs: Vec<_> = ["a", "b"].map(|id| remote.start(ECHO, id, 1)).into();
            let accepted = runs[0].accepted().await;
            assert_eq!(accepted.is_ok(), commits > 0);
            let mut errors = vec![remote.failed().await];
            for run in runs {
                errors.push(run.await.expect_err("a commit is refused"));
            }
            errors.push(remote.failed().await);
            errors.push(remote.start(ECHO, "c", 1).await.expect_err("nothing goes on"));
            errors.push(remote.delete("a").await.expect_err("nothing goes on"));
            errors
        });
        assert!(errors.iter().all(|error| error.is_store() && *error == errors[0]), "{errors:?}");
    }
}

/// What waits when the executor goes ends, whether or not it had been asked for by then.
#[test]
fn an_executor_that_is_dropped_is_an_error_of_all_who_wait() {
    let executor = nap().in_memory();
    let remote = executor.remote();
    let sleeping = remote.start(NAP, "sleeping", 3_600);
    executor.block_on(sleeping.accepted()).expect("it is committed");
    let mut failed = Box::pin(remote.failed());
    assert!((&mut failed).now_or_never().is_none());
    executor.block_on(remote.with(|_| ())).expect("it is called");
    // Posted, and never carried out.
    let posted = remote.start(ECHO, "posted", 1);
    let mut call = Box::pin(remote.runs(&Filter::new()));
    assert!((&mut call).now_or_never().is_none());
    drop(executor);
    let closed = |error: dacapo::Error| assert!(error.is_closed(), "{error}");
    closed(block_on(sleeping).unwrap_err());
    closed(block_on(posted.accepted()).unwrap_err());
    closed(block_on(posted).unwrap_err());
    closed(block_on(call).unwrap_err());
    closed(block_on(failed));
    // Nobody is there any more.
    closed(block_on(remote.attach(NAP, "sleeping")).unwrap_err());
    closed(block_on(remote.delete("sleeping")).unwrap_err());
    closed(block_on(remote.with(|_| ())).unwrap_err());
    closed(block_on(remote.failed()));
}

#[test]
fn a_handle_that_is_dropped_changes_nothing() {
    let executor = build().in_memory();
    let runs = elsewhere(&executor, async |remote: Remote| {
        drop(remote.start(ECHO, "one", 1));
        remote.attach(ECHO, "one").await.expect("it was started");
        remote.runs(&Filter::new()).await.expect("readable").len()
    });
    assert_eq!(runs, 1);
}

/// A run may leave memory while somebody waits for it elsewhere, who is told all the same.
#[test]
fn a_run_that_left_memory_has_its_waiters_still() {
    let clock = VirtualClock::default();
    let executor = nap().clock(clock).resident_max(0).in_memory();
    let remote = executor.remote();
    let mut runs: Vec<RemoteHandle<u64>> = Vec::new();
    for n in 0..20 {
        let id = format!("nap-{n}");
        let run = remote.start(NAP, &id, 60 + n);
        executor.block_on(run.accepted()).expect("it is committed");
        runs.push(run);
        runs.push(remote.attach(NAP, &id));
    }
    executor.block_on(async { dacapo::yield_now().await });
    for (n, run) in (0..).zip(runs) {
        assert_eq!(executor.block_on(run).expect("it ends"), 60 + n / 2);
    }
}

/// Deleted is what is deleted for good.
#[test]
fn a_deletion_is_ready_when_it_is_committed() {
    let memory = MemoryStore::new();
    let executor = nap().open_with(memory.shared()).expect("it opens");
    let rows = elsewhere(&executor, async |remote: Remote| {
        remote.start(ECHO, "one", 1).await.expect("it ends");
        let unfinished = remote.start(NAP, "two", 3_600);
        unfinished.accepted().await.expect("it is committed");
        let refused = remote.delete("two").await;
        remote.delete("one").await.expect("it has ended");
        (refused.is_err(), remote.runs(&Filter::new()).await.expect("readable"))
    });
    assert_eq!(rows.1.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["two"]);
    assert!(rows.0, "it had not ended");
    let again = build().open_with(memory.snapshot()).expect("it opens");
    assert!(again.attach(ECHO, "one").is_err());
}
