//! Runs that have ended and are deleted by themselves, or many at once.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Builder, Channel, Clock, Ctx, Error, Executor, Result, Retention, Timestamp, Topic, Workflow,
    yield_now,
};

use super::{open, open_at};

const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const FAILS: Workflow<u32, u32> = Workflow::new("fails");
const PANICS: Workflow<u32, u32> = Workflow::new("panics");
const ROUNDS: Workflow<u32, u32> = Workflow::new("rounds");
const BUSY: Workflow<(), ()> = Workflow::new("busy");
const PARENT: Workflow<u32, u32> = Workflow::new("parent");
const WAITS: Workflow<(), u32> = Workflow::new("waits");
const GO: Channel<u32> = Channel::new("go");
const SEEN: Topic<u32> = Topic::new("seen");

/// When the next piece may be deleted.
fn later(clock: &VirtualClock) -> Timestamp {
    clock.now() + Duration::from_millis(10)
}

const HOUR: Duration = Duration::from_secs(3_600);

fn build() -> Builder {
    Executor::builder()
        .workflow(ECHO, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.publish(SEEN, n);
            ctx.step("one", async move || Ok::<_, Error>(n)).await
        })
        .workflow(FAILS, async |_: &Ctx, _: u32| Err::<u32, _>(Error::new("no tea")))
        .workflow(PANICS, async |_: &Ctx, _: u32| -> Result<u32> { panic!("no cup") })
        .workflow(ROUNDS, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.step("one", async || Ok::<_, Error>(())).await?;
            match n {
                0 => Ok(ctx.receive(GO).await),
                _ => ctx.again(ROUNDS, n - 1).await,
            }
        })
        .workflow(WAITS, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(GO).await))
        .workflow(PARENT, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.child(ECHO, n).id("let-go").detach();
            match n {
                0 => ctx.child(ECHO, n).await,
                _ => ctx.child(PARENT, n - 1).await,
            }
        })
}

fn ids(executor: &Executor) -> Vec<String> {
    let runs = executor.runs(&Filter::new()).expect("readable");
    runs.into_iter().map(|run| run.id).collect()
}

fn run_all(executor: &Executor, workflow: Workflow<u32, u32>, ids: &[&str]) {
    for id in ids {
        let run = executor.start(workflow, id, 1).expect("new");
        let _ = executor.block_on(run);
    }
}

#[test]
fn the_first_rule_that_is_about_a_run_decides() {
    let failed = Retention::new().states(&[RunState::Failed]).age(10 * HOUR);
    let echoes = Retention::new().workflow("echo").count(2);
    let rest = Retention::new().age(HOUR);
    let clock = VirtualClock::default();
    let builder = build().retention(failed).retention(echoes).retention(rest);
    let (executor, _) = open_at(builder, MemoryStore::new(), clock.clone());
    run_all(&executor, FAILS, &["f"]);
    run_all(&executor, ECHO, &["a", "b", "c"]);
    run_all(&executor, ROUNDS, &[]);
    executor.block_on(clock.sleep(Duration::from_secs(2)));
    assert_eq!(ids(&executor), ["f", "b", "c"]);
    executor.block_on(clock.sleep(9 * HOUR));
    assert_eq!(ids(&executor), ["f", "b", "c"], "failures are kept for longer, echoes by count");
    executor.block_on(clock.sleep(2 * HOUR));
    assert_eq!(ids(&executor), ["b", "c"]);
}

#[test]
fn an_executor_that_is_never_idle_deletes_all_the_same() {
    let clock = VirtualClock::default();
    let is_done = Rc::new(Cell::new(false));
    let done = is_done.clone();
    let busy = async move |ctx: &Ctx, ()| -> Result<()> {
        while ctx.step("look", async || Ok::<_, Error>(())).await.is_ok() {
            let done = done.clone();
            if ctx.step("is it", async move || Ok::<_, Error>(done.get())).await? {
                break;
            }
        }
        Ok(())
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let all: Vec<_> = (0..300).map(|n| n.to_string()).collect();
    run_all(&executor, ECHO, &all.iter().map(|id| &**id).collect::<Vec<_>>());
    drop(executor);

    let builder = build().workflow(BUSY, busy).retention(Retention::new().age(Duration::ZERO));
    let (executor, _) = open_at(builder, store.now(), clock.clone());
    let run = executor.start(BUSY, "busy", ()).expect("new");
    executor
        .block_on(async {
            for _ in 0..20 {
                yield_now().await;
            }
            let left = executor.runs(&Filter::new()).expect("readable").len();
            assert_eq!(left, 1 + 285, "one small piece, and the next one after a pause");
            for _ in 1..300 / 15 {
                clock.set(later(&clock));
                for _ in 0..20 {
                    yield_now().await;
                }
            }
            is_done.set(true);
            run.await
        })
        .expect("it ends");
    assert_eq!(ids(&executor), ["busy"]);
}

#[test]
fn what_has_not_ended_is_kept_and_passes_go_with_their_run() {
    let clock = VirtualClock::default();
    let rule = Retention::new().age(HOUR).states(&RunState::ALL[..7]);
    let (executor, _) = open_at(build().retention(rule), MemoryStore::new(), clock.clone());
    let handle = executor.start(ROUNDS, "rounds", 3).expect("new");
    run_all(&executor, PANICS, &["parked"]);
    executor.block_on(clock.sleep(3 * HOUR));
    assert_eq!(
        executor.runs(&Filter::new()).expect("readable").len(),
        5,
        "four passes, one parked"
    );
    executor.block_on(executor.send("rounds", GO, 7)).expect("it waits");
    executor.block_on(clock.sleep(2 * HOUR));
    assert_eq!(ids(&executor), ["parked"]);
    assert_eq!(executor.block_on(handle).expect("it has its end"), 7);
}

#[test]
fn passes_of_a_run_that_goes_on_are_deleted_if_that_is_asked_for() {
    let clock = VirtualClock::default();
    let rule = Retention::new().states(&[RunState::Continued]).count(1);
    let (executor, _) = open_at(build().retention(rule), MemoryStore::new(), clock.clone());
    let _run = executor.start(ROUNDS, "rounds", 3).expect("new");
    executor.block_on(clock.sleep(HOUR));
    let runs = executor.runs(&Filter::new()).expect("readable");
    assert_eq!(runs.iter().map(|run| run.pass).collect::<Vec<_>>(), [3, 4]);
    // Its first input is gone, so no other can be told from it.
    let again = dacapo::Start::new().same_input();
    let run = executor.start_with(ROUNDS, "rounds", 9, again).expect("it goes on");
    executor.block_on(executor.send("rounds", GO, 7)).expect("it waits");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    executor.verify("rounds").expect("its history is whole");
}

#[test]
fn a_sweep_goes_on_where_a_crash_cut_it_off() {
    let (executor, store) = open(build(), MemoryStore::new());
    let all: Vec<_> = (0..250).map(|n| n.to_string()).collect();
    run_all(&executor, ECHO, &all.iter().map(|id| &**id).collect::<Vec<_>>());
    drop(executor);
    let (executor, store) = open(build(), store.now());
    assert_eq!(executor.block_on(executor.prune(Retention::new().count(20))).expect("it is"), 230);
    drop(executor);
    let mut left: Vec<_> = store
        .take()
        .iter()
        .map(|then| {
            let (executor, _) = open(build(), then.snapshot());
            let left = ids(&executor).len();
            executor.block_on(executor.prune(Retention::new().count(20))).expect("it goes on");
            assert_eq!(ids(&executor).len(), 20);
            left
        })
        .collect();
    left.dedup();
    assert_eq!(left, [170, 70, 20], "a hundred at most share a commit");
}

#[test]
fn a_run_is_followed_while_it_is_pruned() {
    use futures::StreamExt;
    let (executor, _) = open(build(), MemoryStore::new());
    run_all(&executor, ECHO, &["one"]);
    let handle = executor.attach(ECHO, "one").expect("it is there");
    let mut follow = executor.follow("one", SEEN, 0);
    executor.block_on(async {
        assert_eq!(follow.next().await.expect("one").expect("readable"), (0, 1));
        assert_eq!(executor.prune(Retention::new().count(0)).await.expect("it is pruned"), 1);
        assert!(follow.next().await.is_none(), "a stream ends with its run");
        assert_eq!(handle.await.expect("it has its end"), 1);
    });
}

#[test]
fn only_what_was_listed_is_deleted() {
    let clock = VirtualClock::default();
    let (executor, _) = open_at(build(), MemoryStore::new(), clock.clone());
    run_all(&executor, ECHO, &["a", "b"]);
    run_all(&executor, FAILS, &["f", "g"]);
    run_all(&executor, PANICS, &["p"]);
    let _waits = executor.start(WAITS, "w", ()).expect("new");
    executor.block_on(yield_now());
    let listed = executor.runs(&Filter::new()).expect("readable");
    assert_eq!(listed.len(), 6);
    // What happens while somebody is asked.
    clock.set(later(&clock));
    executor.retry("g").expect("it failed");
    let failed = executor.attach(FAILS, "g").expect("it is there");
    executor.block_on(failed).expect_err("it fails again");
    run_all(&executor, ECHO, &["c"]);
    executor.block_on(executor.delete("b")).expect("it has ended");
    run_all(&executor, ECHO, &["b"]);
    executor.block_on(async {
        executor.retry("f").expect("it failed");
        assert_eq!(executor.delete_all(&listed).await.expect("they are deleted"), 2);
    });
    assert_eq!(ids(&executor), ["f", "g", "w", "c", "b"]);
}

#[test]
fn children_are_deleted_with_those_that_started_them() {
    let (executor, _) = open(build(), MemoryStore::new());
    run_all(&executor, PARENT, &["p", "q"]);
    assert_eq!(ids(&executor).len(), 7);
    let listed = executor.runs(&Filter::new().id_prefix("p").states(&[RunState::Completed]));
    let listed: Vec<_> =
        listed.expect("readable").into_iter().filter(|run| run.id == "p").collect();
    let family = executor.with_children(&listed).expect("readable");
    assert_eq!(family.iter().map(|run| &*run.id).collect::<Vec<_>>(), ["p", "p/2", "p/2/2"]);
    assert_eq!(executor.block_on(executor.delete_all(&family)).expect("they are deleted"), 3);
    assert!(ids(&executor).contains(&"let-go".to_owned()), "who was let go stays");
}

#[test]
fn a_remote_prunes_and_deletes() {
    let (executor, _) = open(build(), MemoryStore::new());
    let all: Vec<_> = (0..250).map(|n| n.to_string()).collect();
    run_all(&executor, ECHO, &all.iter().map(|id| &**id).collect::<Vec<_>>());
    let remote = executor.remote();
    let store_rows = || executor.runs(&Filter::new()).expect("readable").len();
    let pruned = executor.block_on(remote.prune(Retention::new().count(140)));
    assert_eq!((pruned.expect("it is pruned"), store_rows()), (110, 140));
    let listed = executor.runs(&Filter::new()).expect("readable");
    let deleted = executor.block_on(remote.delete_all(listed));
    assert_eq!((deleted.expect("they are deleted"), store_rows()), (140, 0));
}

/// The file of a process that has nothing to do becomes shorter once its runs are deleted, and the runs that stay
/// go on in it.
#[test]
fn the_file_becomes_shorter_when_there_is_time() {
    const LETTER: Workflow<String, usize> = Workflow::new("letter");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("shorter.redb");
    let _ = std::fs::remove_file(&path);
    let length = || std::fs::metadata(&path).expect("it is there").len();
    let clock = VirtualClock::default();
    let build = || {
        build()
            .workflow(LETTER, async |_: &Ctx, text: String| Ok::<_, Error>(text.len()))
            .clock(clock.clone())
    };
    let executor = build().open(&path).expect("it is made");
    let waits = executor.start(WAITS, "waits", ()).expect("new");
    for number in 0..20 {
        let letter = executor.start(LETTER, &number.to_string(), "a".repeat(500_000));
        executor.block_on(letter.expect("new")).expect("it ends");
    }
    drop((waits, executor));

    let executor =
        build().retention(Retention::new().age(HOUR)).open(&path).expect("it opens again");
    let before = length();
    executor.block_on(clock.sleep(HOUR / 2));
    assert_eq!(length(), before, "nothing is due");
    executor.block_on(clock.sleep(HOUR));
    assert_eq!(ids(&executor), ["waits"]);
    assert!(length() < before / 2, "{before} bytes became {}", length());
    executor.block_on(executor.send("waits", GO, 7)).expect("it runs");
    let waits = executor.attach(WAITS, "waits").expect("it is there");
    assert_eq!(executor.block_on(waits), Ok(7));
    drop(executor);
    build().open(&path).expect("it opens").verify("waits").expect("it replays");
    let _ = std::fs::remove_file(&path);
}

/// The disk is full: who asks from another thread is told, and not that something was deleted.
#[test]
fn a_remote_is_told_that_nothing_was_deleted() {
    for is_listed in [false, true] {
        let memory = MemoryStore::new();
        let executor = build().open_with(memory.shared()).expect("memory");
        run_all(&executor, ECHO, &["a", "b"]);
        let runs = executor.runs(&Filter::new()).expect("readable");
        memory.fail_after(0);
        let remote = executor.remote();
        let told = match is_listed {
            true => executor.block_on(remote.delete_all(runs)),
            false => executor.block_on(remote.prune(Retention::new().count(0))),
        };
        let error = told.expect_err("nothing was deleted");
        assert!(error.is_store(), "{error}");
        assert_eq!(executor.block_on(remote.committed()), Err(error));
        drop(executor);
        let executor = build().open_with(memory.snapshot()).expect("memory");
        assert_eq!(ids(&executor), ["a", "b"]);
    }
}
