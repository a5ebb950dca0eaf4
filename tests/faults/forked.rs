//! Forks: what of a history counts for a copy, and what is refused.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Attempt, Builder, Channel, Ctx, Cut, Error, Executor, ParkReason, Result, Start, Topic,
    Workflow, join, yield_now,
};

use super::{open, open_at};

const ORDER: Workflow<u32, Vec<String>> = Workflow::new("order");
const CHILD: Workflow<u32, u32> = Workflow::new("child");
const INBOX: Workflow<(), Vec<u32>> = Workflow::new("inbox");
const ROUNDS: Workflow<u32, u32> = Workflow::new("rounds");
const GO: Channel<u32> = Channel::new("go");
const SEEN: Topic<u32> = Topic::new("seen");

const HOUR: Duration = Duration::from_secs(3_600);

type Keys = Rc<RefCell<Vec<String>>>;

/// A workflow of each kind of operation. `keys` has those of the bodies that ran.
fn build(keys: &Keys) -> Builder {
    let keys = keys.clone();
    let order = async move |ctx: &Ctx, n: u32| -> Result<Vec<String>> {
        let step = |name| {
            let keys = keys.clone();
            ctx.step_with(name, async move |attempt: Attempt| {
                keys.borrow_mut().push(attempt.key().to_owned());
                Ok::<_, Error>(attempt.number())
            })
        };
        let ticket = ctx.uuid();
        let drawn = ctx.random();
        step("reserve").at_most_once().await?;
        ctx.publish(SEEN, n);
        ctx.send("inbox", GO, n).await?;
        let (child, paid) = join(ctx.child(CHILD, n), step("pay")).await;
        let (child, paid) = (child?, paid?);
        ctx.sleep(HOUR).await;
        let later = ctx.random();
        step("ship").await?;
        let draw = [ticket.to_string(), drawn.to_string(), later.to_string()];
        Ok([format!("{child} {paid}")].into_iter().chain(draw).collect())
    };
    Executor::builder()
        .workflow(ORDER, order)
        .workflow(CHILD, async |ctx: &Ctx, n: u32| Ok::<_, Error>(n + ctx.receive(GO).await))
        .workflow(INBOX, async |ctx: &Ctx, ()| -> Result<Vec<u32>> {
            let mut all = Vec::new();
            loop {
                match ctx.receive(GO).await {
                    0 => return Ok(all),
                    n => all.push(n),
                }
            }
        })
        .workflow(ROUNDS, async |ctx: &Ctx, n: u32| -> Result<u32> {
            ctx.step("one", async || Ok::<_, Error>(())).await?;
            if n > 0 { ctx.again(ROUNDS, n - 1).await } else { Ok(7) }
        })
}

/// Sends to a run that begins soon.
async fn send_soon(executor: &Executor, id: &str, n: u32) {
    for _ in 0..100 {
        if executor.send(id, GO, n).await.is_ok() {
            return;
        }
        yield_now().await;
    }
    panic!("there is no run {id:?}");
}

/// An order that has ended: 0 started, 1 begun, 2 reserved, 3 published, 4 sent, then the child begun, paid,
/// the child's end, slept, shipped, finished.
fn ended() -> (Executor, Keys, VirtualClock) {
    let (keys, clock) = (Keys::default(), VirtualClock::default());
    let (executor, _) = open_at(build(&keys), MemoryStore::new(), clock.clone());
    let _inbox = executor.start(INBOX, "inbox", ()).expect("new");
    let run = executor.start(ORDER, "order", 5).expect("new");
    executor
        .block_on(async {
            send_soon(&executor, "order/4", 1).await;
            run.await
        })
        .expect("it ends");
    keys.take();
    (executor, keys, clock)
}

fn states(executor: &Executor, prefix: &str) -> Vec<(String, RunState)> {
    let runs = executor.runs(&Filter::new().id_prefix(prefix)).expect("readable");
    runs.into_iter().map(|run| (run.id, run.state)).collect()
}

#[test]
fn what_has_happened_is_not_repeated_and_the_rest_begins() {
    let (executor, keys, _) = ended();
    let origin = executor.block_on(executor.attach(ORDER, "order").expect("it is there"));
    let fork = executor.fork("order", Cut::before(5), "copy").expect("it is cut");
    assert_eq!(fork.begins, [r#"child 4 "child" [copy/4]"#, r#"step 5 "pay""#]);
    let parked = executor.parked().expect("readable");
    assert_eq!((&*parked[0].id, parked[0].reason), ("copy", ParkReason::OnRequest));
    assert_eq!(
        parked[0].message,
        "on request: it is a fork of run \"order\" before operation 5; call `Executor::resume` when it \
         is to go on"
    );
    executor.resume("copy").expect("it goes on");
    let run = executor.attach(ORDER, "copy").expect("it is there");
    let lines = executor.block_on(async {
        send_soon(&executor, "copy/4", 2).await;
        run.await
    });
    let (lines, origin) = (lines.expect("it ends"), origin.expect("it has ended"));
    assert_eq!(lines[0], "7 1", "another child, a first attempt");
    assert_eq!(lines[1..3], origin[1..3], "what was drawn before is the same");
    assert_ne!(lines[3], origin[3]);
    let names: Vec<_> =
        keys.take().iter().map(|key| key.rsplit_once('/').expect("a key").0.to_owned()).collect();
    assert_eq!(names, ["copy/5/pay", "copy/7/ship"]);
    executor.block_on(executor.send("inbox", GO, 0)).expect("it waits");
    let inbox = executor.attach(INBOX, "inbox").expect("it is there");
    assert_eq!(executor.block_on(inbox).expect("it ends"), [5], "sent once");
    for id in ["order", "copy", "order/4", "copy/4"] {
        executor.verify(id).expect("it is repeated");
    }
}

#[test]
fn the_same_input_again() {
    let (executor, keys, _) = ended();
    let fork = executor.fork("order", Cut::at(1), "copy").expect("it is cut");
    assert_eq!((fork.kept, fork.begins.as_slice()), (1, &[r#"step 1 "reserve""#.to_owned()][..]));
    executor.resume("copy").expect("it goes on");
    executor.block_on(async {
        send_soon(&executor, "copy/4", 2).await;
    });
    executor.block_on(executor.attach(ORDER, "copy").expect("it is there")).expect("it ends");
    assert_eq!(keys.borrow().len(), 3);
    executor.block_on(executor.send("inbox", GO, 0)).expect("it waits");
    let inbox = executor.attach(INBOX, "inbox").expect("it is there");
    assert_eq!(executor.block_on(inbox).expect("it ends"), [5, 5], "and sent again");
}

#[test]
fn a_sleep_that_is_over_ends_at_once_and_a_deadline_counts_no_longer() {
    let (keys, clock) = (Keys::default(), VirtualClock::default());
    let (executor, _) = open_at(build(&keys), MemoryStore::new(), clock.clone());
    let _inbox = executor.start(INBOX, "inbox", ()).expect("new");
    let options = Start::new().timeout(2 * HOUR);
    let run = executor.start_with(ORDER, "order", 5, options).expect("new");
    executor
        .block_on(async {
            send_soon(&executor, "order/4", 1).await;
            run.await
        })
        .expect("it ends");
    executor.block_on(clock.sleep(10 * HOUR));
    let fork = executor.fork("order", Cut::before(6), "copy").expect("it is cut");
    assert!(fork.begins.is_empty(), "{fork:?}");
    assert_eq!(
        executor.runs(&Filter::new().id_prefix("copy")).expect("readable")[0].deadline,
        None
    );
    let before = dacapo::Clock::now(&clock);
    executor.resume("copy").expect("it goes on");
    executor.block_on(executor.attach(ORDER, "copy").expect("it is there")).expect("it ends");
    assert_eq!(dacapo::Clock::now(&clock), before);
}

#[test]
fn a_fork_of_a_run_that_goes_on_leaves_it_and_its_children_alone() {
    let keys = Keys::default();
    let (executor, store) = open(build(&keys), MemoryStore::new());
    let _inbox = executor.start(INBOX, "inbox", ()).expect("new");
    let run = executor.start(ORDER, "order", 5).expect("new");
    executor.block_on(async {
        for _ in 0..20 {
            yield_now().await;
        }
    });
    let fork = executor.fork("order", Cut::before(5), "copy").expect("it is cut");
    executor.resume("copy").expect("it goes on");
    executor.block_on(yield_now());
    executor.block_on(executor.terminate("copy")).expect("it runs");
    executor.block_on(executor.delete("copy")).expect("it has ended");
    assert_eq!(fork.begins.len(), 2);
    executor.block_on(executor.send("order/4", GO, 1)).expect("it waits");
    executor.block_on(run).expect("it ends");
    drop(executor);
    let (executor, _) = open(build(&keys), store.now());
    executor.verify("order").expect("it is as it was");
}

#[test]
fn a_process_that_ends_after_the_resumption_counts_an_attempt() {
    let (executor, keys, _) = ended();
    executor.fork("order", Cut::before(5), "copy").expect("it is cut");
    // A message does not make it any less new.
    drop(executor.send("copy", GO, 3));
    executor.resume("copy").expect("it goes on");
    executor.block_on(yield_now());
    assert!(keys.borrow().iter().any(|key| key.starts_with("copy/5/pay/")));
    assert_eq!(
        states(&executor, "copy"),
        [("copy".to_owned(), RunState::Running), ("copy/4".to_owned(), RunState::Running)]
    );
}

#[test]
fn passes_of_another_are_not_those_of_its_fork() {
    let (keys, clock) = (Keys::default(), VirtualClock::default());
    let (executor, _) = open_at(build(&keys), MemoryStore::new(), clock);
    let run = executor.start(ROUNDS, "rounds", 3).expect("new");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    let fork = executor.fork("rounds", Cut::at(0), "copy").expect("it is cut");
    assert_eq!(fork.kept, 2, "submitted and admitted");
    executor.resume("copy").expect("it goes on");
    let run = executor.attach(ROUNDS, "copy").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
    executor.block_on(executor.delete("copy")).expect("it has ended");
    assert_eq!(states(&executor, "").len(), 4, "all passes of the other are there");
    executor.verify("rounds").expect("it is as it was");
}

#[test]
fn a_failed_fork_is_retried() {
    let (keys, clock) = (Keys::default(), VirtualClock::default());
    let calls = Rc::new(std::cell::Cell::new(0));
    let counted = calls.clone();
    const PAY: Workflow<(), u32> = Workflow::new("pay");
    let pay = async move |ctx: &Ctx, ()| -> Result<u32> {
        let calls = counted.clone();
        ctx.step("charge", async move || {
            calls.set(calls.get() + 1);
            if calls.get() < 2 { Err(Error::new("no money")) } else { Ok(calls.get()) }
        })
        .await
    };
    let builder = build(&keys).workflow(PAY, pay);
    let (executor, _) = open_at(builder, MemoryStore::new(), clock);
    let run = executor.start(PAY, "pay", ()).expect("new");
    executor.block_on(run).expect_err("no money");
    let fork = executor.fork("pay", Cut::at(2), "copy").expect("it is cut");
    assert!(fork.begins.is_empty());
    executor.resume("copy").expect("it ends at once");
    let run = executor.attach(PAY, "copy").expect("it is there");
    executor.block_on(run).expect_err("it has failed with what was kept");
    executor.retry("copy").expect("it has failed");
    let run = executor.attach(PAY, "copy").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 2);
}

#[test]
fn what_cannot_be_forked_is_refused_and_nothing_changes() {
    let (executor, _, _) = ended();
    let before = states(&executor, "");
    let check = |id: &str, cut: Cut, new_id: &str, message: &str| {
        let error = executor.fork(id, cut, new_id).expect_err("it is refused");
        assert_eq!(error.to_string(), message);
    };
    check("none", Cut::at(1), "copy", r#"there is no run "none": check the id, or start it"#);
    check(
        "order",
        Cut::at(1),
        "inbox",
        r#"there is a run "inbox" already: give the copy another id"#,
    );
    check(
        "order",
        Cut::at(1),
        "",
        "a run needs an id that is not empty: take one of your own, such as the number of an order",
    );
    check(
        "order",
        Cut::before(9),
        "copy",
        "run \"order\" cannot be forked before operation 9: its history has no outcome of that, so cut it \
         at a record",
    );
    check(
        "order",
        Cut::at(99),
        "copy",
        "run \"order\" cannot be forked at record 99: its history has 11 records",
    );
    check(
        "order",
        Cut::at(11),
        "copy",
        "run \"order\" cannot be forked at record 11: it had ended with record 10: cut it there or before",
    );
    assert_eq!(states(&executor, ""), before);
    assert!(executor.parked().expect("readable").is_empty());
}

#[test]
fn a_fork_that_this_build_does_not_repeat_says_so() {
    let (executor, store) = {
        let (keys, clock) = (Keys::default(), VirtualClock::default());
        let (executor, store) = open_at(build(&keys), MemoryStore::new(), clock);
        let run = executor.start(ROUNDS, "rounds", 0).expect("new");
        executor.block_on(run).expect("it ends");
        (executor, store)
    };
    drop(executor);
    let other = Executor::builder().workflow(ROUNDS, async |ctx: &Ctx, _: u32| -> Result<u32> {
        ctx.step("two", async || Ok::<_, Error>(())).await?;
        Ok(7)
    });
    let (executor, store) = open(other, store.now());
    let fork = executor.fork("rounds", Cut::at(2), "copy").expect("it is cut");
    assert_eq!(
        fork.would_park.expect("it diverges"),
        "diverged: record 1 of the history holds outcome of step 1 \"one\", but the code asks for step 1 \
         \"two\"; restore the code that wrote this history (if it did not change, it is not deterministic)"
    );
    assert!(executor.resume("copy").expect_err("it is parked again").is_parked());
    drop(executor);
    let (executor, _) = open(Executor::builder(), store.now());
    let fork = executor.fork("rounds", Cut::at(1), "other").expect("it needs no code");
    assert!(fork.would_park.expect("it is not known").contains("not registered"));
}

/// What was answered about a change of the code before the cut stays, wherever it is recorded; and where the
/// copy goes on, new code takes the new way.
#[test]
fn changes_of_the_code_are_kept_and_made_where_a_fork_goes_on() {
    const PACK: Workflow<(), Vec<String>> = Workflow::new("pack");
    let build = |asks: bool| {
        let pack = async move |ctx: &Ctx, ()| -> Result<Vec<String>> {
            let mut lines = Vec::new();
            for name in ["first", "second"] {
                let way = if asks && ctx.patched("way") { "new" } else { "old" };
                let line = format!("{name} {way}");
                lines.push(ctx.step("pack", async move || Ok::<_, Error>(line.clone())).await?);
            }
            Ok(lines)
        };
        Executor::builder().workflow(PACK, pack)
    };
    let end = |executor: &Executor, id: &str| {
        executor.resume(id).expect("it goes on");
        let run = executor.attach(PACK, id).expect("it is there");
        let lines = executor.block_on(run).expect("it ends");
        executor.verify(id).expect("it is repeated");
        lines
    };
    let (executor, store) = open(build(false), MemoryStore::new());
    executor.block_on(executor.start(PACK, "old", ()).expect("new")).expect("it ends");
    drop(executor);
    let (executor, _) = open(build(true), store.now());
    executor.fork("old", Cut::at(1), "again").expect("it is cut");
    assert_eq!(end(&executor, "again"), ["first new", "second new"]);
    executor.fork("old", Cut::before(2), "half").expect("it is cut");
    assert_eq!(end(&executor, "half"), ["first old", "second new"]);
    for place in 1..5 {
        let id = format!("copy-{place}");
        executor.fork("again", Cut::at(place), &id).expect("it is cut");
        assert_eq!(end(&executor, &id), ["first new", "second new"]);
    }
}
