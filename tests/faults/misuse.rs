//! Wrong calls: each has one clear answer, and changes nothing.

use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Debounce, Error, Executor, Result, Start, Workflow};

use super::open;

const W: Workflow<u32, u32> = Workflow::new("w");
const X: Workflow<u32, u32> = Workflow::new("x");

fn build() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        ctx.step("one", async move || Ok::<_, dacapo::Error>(n)).await
    })
}

#[track_caller]
fn refused<T>(result: Result<T>, message: &str) -> Error {
    let error = result.err().expect("it is refused");
    assert_eq!(error.to_string(), message);
    assert!(!error.is_parked() && !error.is_store());
    assert_eq!(error.park_reason(), None);
    error
}

#[test]
fn ids_and_workflows_that_do_not_fit() {
    let (executor, store) = open(build(), MemoryStore::new());
    let empty =
        "a run needs an id that is not empty: take one of your own, such as the number of an order";
    refused(executor.start(W, "", 1), empty);
    let unknown = r#"there is no run "a": check the id, or start it"#;
    assert!(refused(executor.attach(W, "a"), unknown).is_not_found());
    assert!(refused(executor.resume("a"), unknown).is_not_found());
    assert!(refused(executor.verify("a"), unknown).is_not_found());
    assert!(refused(executor.block_on(executor.delete("a")), unknown).is_not_found());
    refused(
        executor.start(X, "a", 1),
        r#"run "a" needs the workflow "x", which is not registered: add it with Builder::workflow"#,
    );
    let run = executor.start(W, "a", 1).expect("new");
    let running = r#"run "a" is not parked, so it cannot be resumed"#;
    assert!(!refused(executor.resume("a"), running).is_ended());
    let other = "run \"a\" is one of workflow \"w\", not of \"x\": attach to it with its own workflow, or \
                 use another id";
    refused(executor.start(X, "a", 1), other);
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
    refused(executor.attach(X, "a"), other);
    let ended = r#"run "a" has ended, so it cannot be resumed: if it failed, see Executor::retry"#;
    assert!(refused(executor.resume("a"), ended).is_ended());
    drop(executor);
    let (executor, _) = open(build(), store.now());
    assert!(refused(executor.resume("a"), ended).is_ended());
    refused(executor.start(X, "a", 1), other);
}

/// The same id is the same run: while it runs, when it has ended, and after a restart.
#[test]
fn an_id_that_is_used_again() {
    let (executor, store) = open(build(), MemoryStore::new());
    let first = executor.start(W, "a", 1).expect("new");
    let second = executor.start(W, "a", 2).expect("the same run");
    assert!(first.is_new() && !second.is_new());
    let both = dacapo::try_join(first, second);
    assert_eq!(executor.block_on(both).expect("one run"), (1, 1));
    assert_eq!(executor.block_on(executor.start(W, "a", 3).expect("ended")).expect("ended"), 1);
    let commits = store.take().len();
    drop(executor);
    let (executor, store) = open(build(), store.now());
    let ended = executor.start(W, "a", 4).expect("ended");
    assert!(!ended.is_new(), "nor after a restart");
    assert_eq!(executor.block_on(ended).expect("ended"), 1);
    executor.block_on(executor.delete("a")).expect("it has ended");
    assert!(executor.start(W, "a", 5).expect("new").is_new(), "its id is free");
    assert_eq!(
        (commits, store.take().len()),
        (3, 1),
        "only the first start was one, and the deletion"
    );
}

/// What came of an earlier start is no new failure, and a start does not take it up: it says so, and what does.
#[test]
fn an_id_of_a_run_that_has_failed_is_used_again() {
    const FAILS: Workflow<bool, ()> = Workflow::new("fails");
    let build = || {
        Executor::builder().workflow(FAILS, async |ctx: &Ctx, waits: bool| -> Result<()> {
            if waits {
                return ctx
                    .step("waits", async || std::future::pending::<Result<()>>().await)
                    .await;
            }
            ctx.step("pay", async || Err(Error::new("card refused").permanent())).await
        })
    };
    let failed = r#"step 1 "pay" failed: card refused"#;
    let check = |executor: &Executor| {
        let end = |id| executor.block_on(executor.attach(FAILS, id).expect("there")).unwrap_err();
        assert_eq!(end("a").to_string(), failed, "of an attach nothing else is expected");
        let again = executor.start(FAILS, "a", false).expect("there");
        assert!(!again.is_new());
        let error = executor.block_on(again).unwrap_err();
        assert_eq!(error, end("a"), "as it was for whoever started it first");
        assert!(error.is_permanent());
        let remote = executor.remote();
        assert_eq!(executor.block_on(remote.start(FAILS, "a", false)).unwrap_err(), error);
        let again = executor.start(FAILS, "b", true).expect("there");
        let error = executor.block_on(again).unwrap_err();
        assert_eq!(error, end("b"));
        assert!(error.is_cancelled());
        let only_new = executor.start_with(FAILS, "a", false, Start::new().only_new());
        let taken = r#"run "a" is not started: there is one, which failed or was cancelled (see Executor::retry)"#;
        assert!(refused(only_new, taken).is_taken());
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let (first, second) = (executor.start(FAILS, "a", false), executor.start(FAILS, "a", false));
    let long = executor.start(FAILS, "b", true).expect("new");
    executor.block_on(async {
        // It fails after both: each is told of it as it is.
        for run in [first, second] {
            assert_eq!(run.expect("new").await.unwrap_err().to_string(), failed);
        }
        executor.cancel("b").await.expect("there");
        assert!(long.await.unwrap_err().is_cancelled());
    });
    check(&executor);
    drop(executor);
    let (executor, _) = open(build(), store.now());
    check(&executor);
}

#[test]
fn what_handles_show() {
    let executor = build().in_memory();
    let run = executor.start(W, "a", 1).expect("new");
    assert_eq!(format!("{run:?}"), r#"Handle { id: "a", is_new: true, .. }"#);
    let far = executor.remote().start(W, "b", 1);
    assert_eq!(format!("{far:?}"), r#"RemoteHandle { id: "b", .. }"#);
}

/// Whoever wants the same input is told if it is another: before the start is committed, while the run
/// goes on, in a later pass, when it has ended, and after a restart.
/// A run begins with the last input of a debounce, and a unique key stands for an id.
#[test]
fn an_input_that_was_replaced_and_a_key_that_is_used_again() {
    const ANOTHER: &str = "was started with another input";
    let (executor, store) = open(build(), MemoryStore::new());
    let same = || Start::new().same_input();
    let keyed = || same().unique("k").delay(Duration::from_secs(3_600));
    let wait = Debounce::new(Duration::from_secs(3_600));
    for n in 1..=30 {
        let _handle = executor.debounce(W, "page", wait, n).expect("it waits");
    }
    let first = executor.start_with(W, "first", 7, keyed()).expect("it is new");
    executor.block_on(first.accepted()).expect("it is committed");
    let check = |executor: &Executor| {
        let last = executor.start_with(W, "page@0", 30, same()).expect("it begins with that");
        assert!(!last.is_new());
        for n in [1, 29, 31] {
            let error = executor.start_with(W, "page@0", n, same()).expect_err("another");
            assert!(error.to_string().contains(ANOTHER), "{error}");
        }
        let holder = executor.start_with(W, "second", 7, keyed()).expect("the same input");
        assert_eq!(holder.id(), "first");
        let error = executor.start_with(W, "second", 8, keyed()).expect_err("another");
        assert!(error.to_string().contains(ANOTHER), "{error}");
    };
    check(&executor);
    drop(executor);
    let (executor, _) = open(build(), store.now());
    check(&executor);
}

#[test]
fn an_id_that_is_used_again_for_another_input() {
    const AGAIN: Workflow<u32, u32> = Workflow::new("again");
    let build = || {
        build().workflow(AGAIN, async |ctx: &Ctx, n: u32| -> Result<u32> {
            match n {
                7 => ctx.again(AGAIN, 8).await,
                _ => Ok(n),
            }
        })
    };
    let same = || Start::new().same_input();
    let check = |executor: &Executor| {
        for (workflow, id) in [(W, "a"), (AGAIN, "b")] {
            let found = executor.start_with(workflow, id, 7, same()).expect("the same input");
            assert!(!found.is_new());
            let message = format!(
                "run {id:?} was started with another input: give this one an id of its own, or attach \
                 to that run"
            );
            refused(executor.start_with(workflow, id, 8, same()), &message);
            assert!(executor.start(workflow, id, 8).is_ok(), "by default it is ignored");
        }
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let first = executor.start_with(W, "a", 7, same()).expect("new");
    let second = executor.start_with(AGAIN, "b", 7, same()).expect("new");
    check(&executor);
    executor.block_on(dacapo::try_join(first, second)).expect("they end");
    check(&executor);
    drop(executor);
    let (executor, _) = open(build(), store.now());
    check(&executor);
}

/// What is the same is told over builds: fields that have come since are read with their defaults, in inputs
/// and in outputs, and after a rollback they are as if nobody had written them.
#[test]
fn the_same_input_and_output_over_builds() {
    mod today {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        pub(super) struct Order {
            pub(super) cents: u32,
        }
    }
    mod tomorrow {
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        pub(super) struct Order {
            pub(super) cents: u32,
            #[serde(default)]
            pub(super) gift: Option<String>,
        }
    }
    use {today::Order as Old, tomorrow::Order as New};
    const OLD: Workflow<Old, Old> = Workflow::new("order");
    const NEW: Workflow<New, New> = Workflow::new("order");
    let old = || Executor::builder().workflow(OLD, async |_: &Ctx, order| Ok::<_, Error>(order));
    let new = || Executor::builder().workflow(NEW, async |_: &Ctx, order| Ok::<_, Error>(order));
    let same = || Start::new().same_input();
    let order = |gift: Option<&str>| New { cents: 7, gift: gift.map(Into::into) };

    let (executor, store) = open(old(), MemoryStore::new());
    let run = executor.start_with(OLD, "one", Old { cents: 7 }, same()).expect("new");
    executor.block_on(run).expect("it ends");
    drop(executor);

    let (executor, store) = open(new(), store.now());
    let again = executor.start_with(NEW, "one", order(None), same()).expect("the same");
    assert!(!again.is_new());
    executor.verify("one").expect("its output is the same, too");
    let other = executor.start_with(NEW, "one", order(Some("a card")), same());
    assert!(other.expect_err("it has a gift").to_string().contains("another input"));
    let run = executor.start_with(NEW, "two", order(None), same()).expect("new");
    executor.block_on(run).expect("it ends");
    drop(executor);

    let (executor, _) = open(old(), store.now());
    let again = executor.start_with(OLD, "two", Old { cents: 7 }, same()).expect("the same");
    assert!(!again.is_new());
    executor.verify("two").expect("the same");
    let other = executor.start_with(OLD, "two", Old { cents: 8 }, same());
    assert!(other.expect_err("it costs more").to_string().contains("another input"));
}

#[test]
#[should_panic(expected = r#"the workflow "w" is registered twice"#)]
fn a_name_that_is_registered_twice() {
    let _ = build().workflow(W, async |_: &Ctx, n: u32| -> Result<u32> { Ok(n) });
}

#[test]
fn runs_of_a_workflow_that_is_not_registered() {
    let (executor, store) = open(build(), MemoryStore::new());
    executor.block_on(executor.start(W, "a", 7).expect("new").accepted()).expect("accepted");
    drop(executor);

    let (executor, store) = open(Executor::builder(), store.now());
    let waiting = executor.unregistered().expect("readable");
    assert_eq!((waiting[0].id.as_str(), waiting[0].workflow.as_str()), ("a", "w"));
    refused(
        executor.attach(W, "a"),
        r#"run "a" needs the workflow "w", which is not registered: add it with Builder::workflow"#,
    );
    executor.block_on(async {});
    assert!(store.take().is_empty(), "they stay as they are");
    drop(executor);

    let (executor, _) = open(build(), store.now());
    assert!(executor.unregistered().expect("readable").is_empty());
    assert_eq!(executor.block_on(executor.attach(W, "a").expect("there")).expect("ends"), 7);
}

#[test]
#[should_panic(expected = "the executor is driven already")]
fn driving_it_twice() {
    let executor = build().in_memory();
    executor.block_on(async { executor.block_on(async {}) });
}

#[test]
fn a_handle_that_outlives_its_executor() {
    let (executor, _) = open(build(), MemoryStore::new());
    let run = executor.start(W, "a", 1).expect("new");
    drop(executor);
    let error = futures::executor::block_on(run).expect_err("nothing runs any more");
    assert_eq!(error.to_string(), "the executor was dropped");
}

/// An output that is read as another type is the reader's mistake, not the run's.
#[test]
fn an_output_of_another_type() {
    const TEXT: Workflow<u32, String> = Workflow::new("w");
    let (executor, _) = open(build(), MemoryStore::new());
    executor.block_on(executor.start(W, "a", 77).expect("new")).expect("it ends");
    let text = executor.attach(TEXT, "a").expect("the name is the same");
    let error = executor.block_on(text).expect_err("it is a number");
    assert!(
        error
            .to_string()
            .starts_with(r#"the output of run "a" does not decode as alloc::string::String"#)
    );
}

/// A sleep beyond the end of time lasts to the end of time.
#[test]
fn durations_that_overflow() {
    let builder = Executor::builder().workflow(W, async |ctx: &Ctx, n: u32| -> Result<u32> {
        let forever = ctx.sleep(Duration::MAX);
        let limited = ctx.timeout(Duration::from_secs(1), forever).await;
        assert!(limited.is_err());
        let step = ctx.step("one", async move || Ok::<_, dacapo::Error>(n));
        step.timeout(Duration::MAX).await
    });
    let (executor, _) = open(builder, MemoryStore::new());
    assert_eq!(executor.block_on(executor.start(W, "a", 5).expect("new")).expect("ends"), 5);
}
