//! An executor that is shut down: nothing begins, what is under way may end, and the next process
//! counts no attempt for what was dropped.

mod anywhere;
mod grace;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Attempt, Builder, Ctx, Executor, Result, Retry, Timestamp, Workflow};

use super::faults::history;

const MAIL: Workflow<(), u32> = Workflow::new("mail");
const SECOND: Duration = Duration::from_secs(1);

/// A server that mails are sent to.
#[derive(Clone, Default)]
struct Server(Rc<State>);

#[derive(Default)]
struct State {
    is_up: Cell<bool>,
    /// The attempts that began.
    seen: RefCell<Vec<u32>>,
}

impl Server {
    async fn send(&self, attempt: &Attempt) -> Result<u32> {
        self.0.seen.borrow_mut().push(attempt.number());
        if !self.0.is_up.get() {
            std::future::pending::<()>().await;
        }
        Ok(attempt.number())
    }

    /// Waits until so many attempts began, while the executor is driven.
    async fn has_seen(&self, attempts: usize) {
        while self.0.seen.borrow().len() < attempts {
            dacapo::yield_now().await;
        }
    }

    fn seen(&self) -> Vec<u32> {
        self.0.seen.borrow().clone()
    }
}

fn mail(server: &Server, retry: Retry) -> Builder {
    let server = server.clone();
    Executor::builder().seed(1).workflow(MAIL, async move |ctx: &Ctx, ()| {
        let server = server.clone();
        let body = async move |attempt: Attempt| server.send(&attempt).await;
        ctx.step_with("send", body).retry(retry).await
    })
}

fn open(builder: Builder, store: MemoryStore) -> (Executor, Snapshots) {
    let clock = VirtualClock::new(Timestamp::from_nanos(store.time()));
    let store = Snapshots::new(store);
    (builder.clock(clock).open_with(store.clone()).expect("it opens"), store)
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    InOrder,
    /// The executor is dropped while the body runs.
    Dropped,
    /// It is dropped before it was driven.
    DroppedAtItsStart,
    /// Before anything was committed, and so before a body began.
    AtItsStart,
    WhileTheBodyRuns,
}

/// Processes that end like this, and one that sends the mail: the attempts that all of them began.
fn attempts(ends: &[End], retry: Retry) -> Vec<u32> {
    let (mut stored, server) = (MemoryStore::new(), Server::default());
    for (life, &end) in ends.iter().enumerate() {
        let seen = server.seen().len();
        let (executor, store) = open(mail(&server, retry), stored);
        if life == 0 {
            let run = executor.start(MAIL, "mail-1", ()).expect("new");
            executor.block_on(run.accepted()).expect("it is committed");
        }
        if !matches!(end, End::AtItsStart | End::DroppedAtItsStart) {
            executor.block_on(server.has_seen(seen + 1));
        }
        if end == End::InOrder {
            executor.block_on(executor.shutdown(SECOND)).expect("it ends in order");
        }
        let killed = store.now();
        drop(executor);
        stored = match end {
            End::AtItsStart | End::WhileTheBodyRuns => killed,
            End::InOrder | End::Dropped | End::DroppedAtItsStart => store.now(),
        };
    }
    server.0.is_up.set(true);
    let (executor, store) = open(mail(&server, retry), stored);
    let run = executor.attach(MAIL, "mail-1").expect("it is there");
    let attempts = executor.block_on(run).expect("it ends");
    executor.verify("mail-1").expect("it replays");
    // The start, what was counted, the outcome, the end.
    assert_eq!(history(&store.now(), "mail-1").len(), 3 + attempts as usize - 1);
    server.seen()
}

#[test]
fn only_ends_that_are_not_in_order_count_as_attempts() {
    use End::{AtItsStart, InOrder, WhileTheBodyRuns};
    type Case = (&'static [End], &'static [u32]);
    let cases: [Case; 9] = [
        (&[InOrder], &[1, 1]),
        (&[WhileTheBodyRuns], &[1, 2]),
        (&[InOrder, InOrder, InOrder], &[1, 1, 1, 1]),
        // The note of the first end is there until something is committed, and nothing begins
        // before that.
        (&[InOrder, AtItsStart], &[1, 1]),
        (&[InOrder, AtItsStart, AtItsStart, WhileTheBodyRuns], &[1, 1, 2]),
        (&[InOrder, WhileTheBodyRuns], &[1, 1, 2]),
        (&[WhileTheBodyRuns, InOrder], &[1, 2, 2]),
        (&[InOrder, WhileTheBodyRuns, InOrder, WhileTheBodyRuns], &[1, 1, 2, 2, 3]),
        (&[WhileTheBodyRuns, AtItsStart, InOrder], &[1, 2, 2]),
    ];
    let patient = Retry::exponential(SECOND).max_attempts(5);
    for (ends, expected) in cases {
        assert_eq!(attempts(ends, patient), expected, "{ends:?}");
        assert_eq!(attempts(ends, Retry::never()), expected, "{ends:?}");
    }
}

/// Whatever a drop cuts off counts for nothing, and what the process before interrupted is counted all the
/// same: a drop that comes before that is committed says nothing.
#[test]
fn a_drop_counts_nothing_but_what_the_process_before_interrupted() {
    use End::{AtItsStart, Dropped, DroppedAtItsStart, InOrder, WhileTheBodyRuns};
    type Case = (&'static [End], &'static [u32]);
    let cases: [Case; 8] = [
        (&[Dropped], &[1, 1]),
        (&[Dropped, Dropped, InOrder, Dropped], &[1, 1, 1, 1, 1]),
        (&[Dropped, AtItsStart, DroppedAtItsStart], &[1, 1]),
        (&[Dropped, WhileTheBodyRuns], &[1, 1, 2]),
        (&[WhileTheBodyRuns, Dropped], &[1, 2, 2]),
        (&[WhileTheBodyRuns, DroppedAtItsStart], &[1, 2]),
        (&[WhileTheBodyRuns, AtItsStart, DroppedAtItsStart, Dropped], &[1, 2, 2]),
        (&[Dropped, DroppedAtItsStart, WhileTheBodyRuns, Dropped], &[1, 1, 2, 2]),
    ];
    let patient = Retry::exponential(SECOND).max_attempts(5);
    for (ends, expected) in cases {
        assert_eq!(attempts(ends, patient), expected, "{ends:?}");
        assert_eq!(attempts(ends, Retry::never()), expected, "{ends:?}");
    }
}

/// That the last attempt was interrupted is not committed yet: the drop gives it no further one.
#[test]
fn a_drop_before_the_first_commit_gives_no_further_attempt() {
    let (mut stored, server) = (MemoryStore::new(), Server::default());
    let twice = Retry::exponential(SECOND).max_attempts(2);
    for life in 1..=2 {
        let (executor, store) = open(mail(&server, twice), stored);
        let _run = executor.start(MAIL, "mail-1", ()).expect("it is new, or there");
        executor.block_on(server.has_seen(life));
        stored = store.now();
    }
    let (executor, store) = open(mail(&server, twice), stored);
    drop(executor);
    server.0.is_up.set(true);
    let (executor, _) = open(mail(&server, twice), store.now());
    let run = executor.attach(MAIL, "mail-1").expect("it is there");
    assert!(executor.block_on(run).expect_err("it was the last").is_interrupted());
    assert_eq!(server.seen(), [1, 2]);
}

/// Whoever knows no workflow, and looks after the file between two deployments, begins no body.
#[test]
fn an_end_in_order_outlives_whoever_knows_no_workflow() {
    let server = Server::default();
    let (executor, store) = open(mail(&server, Retry::never()), MemoryStore::new());
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(server.has_seen(1));
    executor.block_on(executor.terminate("mail-1")).expect("it is there");
    let _run = executor.start(MAIL, "mail-2", ()).expect("new");
    executor.block_on(server.has_seen(2));
    executor.block_on(executor.shutdown(SECOND)).expect("it ends in order");
    let (bare, store) = open(Executor::builder(), store.now());
    bare.block_on(bare.delete("mail-1")).expect("it has ended");
    drop(bare);
    server.0.is_up.set(true);
    let (executor, _) = open(mail(&server, Retry::never()), store.now());
    let run = executor.attach(MAIL, "mail-2").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
}

/// A panic that takes the executor with it may be that of what it did: it counts.
#[test]
fn a_drop_by_a_panic_counts() {
    let server = Server::default();
    let (executor, store) = open(mail(&server, Retry::never()), MemoryStore::new());
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(server.has_seen(1));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _executor = executor;
        panic!("the service has a bug");
    }));
    assert!(unwound.is_err());
    server.0.is_up.set(true);
    let (executor, _) = open(mail(&server, Retry::never()), store.now());
    let run = executor.attach(MAIL, "mail-1").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 2);
}

/// Deployments every hour use up no attempts of a step that takes a day.
#[test]
fn a_step_survives_any_number_of_deployments() {
    let ends = [End::InOrder; 50];
    assert_eq!(attempts(&ends, Retry::exponential(SECOND).max_attempts(2)), [1; 51]);
}

/// Whether its effect took place is not known, in whatever order the process ended.
#[test]
fn a_body_that_runs_at_most_once_is_interrupted_all_the_same() {
    let server = Server::default();
    let build = || {
        let server = server.clone();
        Executor::builder().workflow(MAIL, async move |ctx: &Ctx, ()| {
            let server = server.clone();
            let body = async move |attempt: Attempt| server.send(&attempt).await;
            ctx.step_with("send", body).at_most_once().await
        })
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let _run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(server.has_seen(1));
    executor.block_on(executor.shutdown(SECOND)).expect("it ends in order");
    let (executor, _) = open(build(), store.now());
    let run = executor.attach(MAIL, "mail-1").expect("it is there");
    assert!(executor.block_on(run).expect_err("it had begun").is_interrupted());
    assert_eq!(server.seen(), [1]);
}

/// One that was asked for when nothing began any more had not begun.
#[test]
fn a_body_that_runs_at_most_once_and_did_not_begin_begins_in_the_next_process() {
    let server = Server::default();
    server.0.is_up.set(true);
    let build = || {
        let server = server.clone();
        Executor::builder().workflow(MAIL, async move |ctx: &Ctx, ()| {
            let server = server.clone();
            let body = async move |attempt: Attempt| server.send(&attempt).await;
            let first = async || -> Result<()> {
                dacapo::yield_now().await;
                Ok(())
            };
            ctx.step("first", first).await?;
            ctx.step_with("send", body).at_most_once().await
        })
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(MAIL, "mail-1", ()).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        dacapo::yield_now().await;
        executor.shutdown(SECOND).await.expect("it ends in order");
    });
    assert!(executor.block_on(run).expect_err("it has not ended").is_closed());
    assert_eq!(history(&store.now(), "mail-1").len(), 2, "the first step has its outcome");
    let (executor, _) = open(build(), store.now());
    let run = executor.attach(MAIL, "mail-1").expect("it is there");
    assert_eq!(executor.block_on(run).expect("it ends"), 1);
}

/// A step that is overdue after an outage does not begin before its limit is looked at, as after a
/// crash.
#[test]
fn a_limit_that_passed_during_the_outage_comes_before_the_body() {
    const LATE: Workflow<(), bool> = Workflow::new("late");
    let begun = Rc::new(Cell::new(0));
    let build = || {
        let begun = begun.clone();
        Executor::builder().workflow(LATE, async move |ctx: &Ctx, ()| -> Result<bool> {
            let begun = begun.clone();
            let body = async move || -> Result<()> {
                begun.set(begun.get() + 1);
                std::future::pending().await
            };
            Ok(ctx.timeout(60 * SECOND, ctx.step("slow", body)).await.is_err())
        })
    };
    let (executor, store) = open(build(), MemoryStore::new());
    let run = executor.start(LATE, "late-1", ()).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        while begun.get() == 0 {
            dacapo::yield_now().await;
        }
        executor.shutdown(SECOND).await.expect("it ends in order");
    });
    let stored = store.now();
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()) + 3_600 * SECOND);
    let executor = build().clock(clock).open_with(stored).expect("it opens");
    let run = executor.attach(LATE, "late-1").expect("it is there");
    assert!(executor.block_on(run).expect("it ends"), "it was late");
    assert_eq!(begun.get(), 1, "it did not begin again");
}
