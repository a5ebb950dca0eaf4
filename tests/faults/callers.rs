//! Who may call what: the table in docs/semantics.md, cell by cell.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore, RunKey, RunState};
use dacapo::{
    Channel, Clock, Ctx, Cut, Error, Event, Executor, Observer, Question, Result, Schedule,
    Timestamp, Topic, WeakExecutor, Workflow,
};
use futures::{FutureExt, StreamExt};

const ECHO: Workflow<u8, u8> = Workflow::new("echo");
const BREAKS: Workflow<bool, ()> = Workflow::new("breaks");
const WAITS: Workflow<(), u8> = Workflow::new("waits");
const CALLS: Workflow<String, ()> = Workflow::new("calls");
const NUMBER: Channel<u8> = Channel::new("number");
const HALF: Question<u8, u8> = Question::new("half");
const STATUS: Topic<u8> = Topic::new("status");

/// A call, and what came of it: "ok" if it was let in.
type Call = fn(&Executor) -> String;

fn told<T>(answer: Option<Result<T>>) -> String {
    match answer {
        None | Some(Ok(_)) => "ok".into(),
        Some(Err(error)) => error.to_string(),
    }
}

/// Each call, with what a refusal says of it.
const ALL: [(&str, Call); 28] = [
    (r#"run "new" cannot be started"#, |it| told(Some(it.start(ECHO, "new", 1)))),
    (r#"run "ended" cannot be attached to"#, |it| told(Some(it.attach(ECHO, "ended")))),
    (r#"run "waits" cannot be sent to"#, |it| told(it.send("waits", NUMBER, 1).now_or_never())),
    (r#"run "waits" cannot be asked"#, |it| told(it.ask("waits", HALF, 2).now_or_never())),
    (r#"run "waits" cannot be asked to end"#, |it| told(it.cancel("waits").now_or_never())),
    (r#"run "parked" cannot be asked to end"#, |it| told(it.terminate("parked").now_or_never())),
    (r#"run "parked" cannot be resumed"#, |it| told(Some(it.resume("parked")))),
    (r#"run "waits" cannot be held"#, |it| told(Some(it.hold("waits")))),
    (r#"run "failed" cannot be retried"#, |it| told(Some(it.retry("failed")))),
    (r#"run "ended" cannot be deleted"#, |it| told(it.delete("ended").now_or_never())),
    (r#"run "ended" cannot be verified"#, |it| told(Some(it.verify("ended")))),
    ("runs cannot be listed", |it| told(Some(it.runs(&Filter::new())))),
    ("parked runs cannot be listed", |it| told(Some(it.parked()))),
    ("steps cannot be listed", |it| told(Some(it.retrying()))),
    (r#"run "ended" cannot be looked at"#, |it| told(Some(it.info("ended")))),
    ("histories cannot be read", |it| told(Some(it.history_of(RunKey(1), 0..1)))),
    ("runs cannot be counted", |it| told(Some(it.statistics()))),
    ("runs cannot be exported", |it| told(Some(it.export(&["ended"], &mut Vec::new())))),
    (r#"run "ended" cannot be forked"#, |it| told(Some(it.fork("ended", Cut::at(1), "copy")))),
    ("queues cannot be listed", |it| told(Some(it.queues()))),
    (r#"run "ended" cannot be read"#, |it| told(Some(it.latest("ended", STATUS)))),
    (r#"run "ended" cannot be followed"#, |it| {
        told(it.follow("ended", STATUS, 0).next().now_or_never().flatten())
    }),
    ("tables cannot be read", |it| told(Some(it.read(|_| ())))),
    ("tables cannot be written", |it| told(it.write(|_| Ok::<_, Error>(())).now_or_never())),
    (r#"the schedule "calls" cannot be paused or resumed"#, |it| {
        told(it.resume_schedule("calls").now_or_never())
    }),
    ("schedules cannot be listed", |it| told(Some(it.schedules()))),
    ("the executor cannot be shut down", |it| told(it.shutdown(Duration::MAX).now_or_never())),
    ("block_on", |it| match catch_unwind(AssertUnwindSafe(|| it.block_on(async {}))) {
        Ok(()) => "ok".into(),
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).into(),
    }),
];

/// What the code of a test calls, and what came of it.
#[derive(Clone, Default)]
struct Caller {
    weak: Rc<RefCell<Option<WeakExecutor>>>,
    call: Rc<Cell<Option<Call>>>,
    by_clock: Rc<Cell<Option<Call>>>,
    answer: Rc<RefCell<Option<String>>>,
}

impl Caller {
    /// Makes the call, once.
    fn call(&self) {
        self.make(self.call.take());
    }

    fn make(&self, call: Option<Call>) {
        if let Some(call) = call {
            let weak = self.weak.borrow().clone().expect("it is set");
            *self.answer.borrow_mut() = Some(weak.with(call).expect("it is there"));
        }
    }
}

/// Calls when it is dropped.
struct LastWords(Caller);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.call();
    }
}

/// Calls when a run ends.
struct Watches(Caller);

impl Observer for Watches {
    fn observe(&self, run: &str, event: Event<'_>) {
        if run == "observed" && matches!(event, Event::Delivered(..)) {
            self.0.call();
        }
    }
}

/// Calls when it is asked for the time.
struct Asks(Caller, VirtualClock);

impl Clock for Asks {
    fn now(&self) -> Timestamp {
        self.0.make(self.0.by_clock.take());
        self.1.now()
    }

    fn monotonic(&self) -> Duration {
        self.1.monotonic()
    }

    fn skip(&self, wait: Option<Duration>) -> bool {
        self.1.skip(wait)
    }
}

async fn calls(ctx: &Ctx, caller: &Caller, how: &str) -> Result<()> {
    match how {
        "body" => {
            let caller = caller.clone();
            let body = async move || {
                caller.call();
                Ok::<_, Error>(())
            };
            ctx.step("call", body).await
        }
        "drop of a body" => {
            let words = LastWords(caller.clone());
            let body = async move || {
                let _words = &words;
                std::future::pending::<Result<()>>().await
            };
            let quick = ctx.step("quick", async || Ok::<_, Error>(()));
            dacapo::race(ctx.step("call", body), quick).await
        }
        "drop of what decides" => {
            let words = LastWords(caller.clone());
            let body = async || Ok::<_, Error>(());
            let decides = move |_: &Error| {
                let _words = &words;
                true
            };
            ctx.step("call", body).retry_if(decides).await
        }
        "drop of a transaction" => {
            let words = LastWords(caller.clone());
            let body = move |_: &mut dacapo::Tx<'_>| {
                let _words = &words;
                Ok::<_, Error>(())
            };
            ctx.transaction("call", body).await
        }
        "drop" => {
            let words = LastWords(caller.clone());
            ctx.spawn(async move |_: &Ctx| {
                let _words = words;
                std::future::pending::<()>().await;
            })
            .detach();
            dacapo::yield_now().await;
            Ok(())
        }
        _ => {
            caller.call();
            Ok(())
        }
    }
}

/// An executor with a run in each state.
fn open(caller: &Caller) -> Executor {
    let is_broken = Rc::new(Cell::new(true));
    let (breaks, held, ticks) = (is_broken.clone(), caller.clone(), caller.clone());
    let executor = Executor::builder()
        .observer(Watches(caller.clone()))
        .clock(Asks(caller.clone(), VirtualClock::new(Timestamp::from_nanos(0))))
        .workflow(ECHO, async |ctx: &Ctx, n: u8| {
            ctx.publish(STATUS, n);
            Ok::<_, Error>(n)
        })
        .workflow(BREAKS, async move |_: &Ctx, panics: bool| match breaks.get() {
            true if panics => panic!("no cup"),
            true => Err(Error::new("no tea")),
            false => Ok(()),
        })
        .workflow(WAITS, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(NUMBER).await))
        .workflow(CALLS, async move |ctx: &Ctx, how: String| calls(ctx, &held, &how).await)
        .schedule("calls", Schedule::every(Duration::from_secs(86_400)), CALLS, move |_| {
            ticks.call();
            String::new()
        })
        .open_with(MemoryStore::new())
        .expect("memory can be read");
    *caller.weak.borrow_mut() = Some(executor.weak());
    executor.block_on(async {
        executor.start(ECHO, "ended", 1).expect("new").await.expect("it ends");
        executor.start(BREAKS, "parked", true).expect("new").await.expect_err("it panics");
        executor.start(BREAKS, "failed", false).expect("new").await.expect_err("it fails");
        executor.start(WAITS, "waits", ()).expect("new").accepted().await.expect("accepted");
    });
    is_broken.set(false);
    executor
}

/// What there is, but for the run that calls.
fn runs(executor: &Executor) -> Vec<(String, RunState)> {
    let runs = executor.runs(&Filter::new()).expect("readable").into_iter();
    let others = runs.filter(|run| run.workflow != "calls");
    others.map(|run| (run.id, run.state)).collect()
}

/// Has a run of `CALLS` make the call, somehow.
fn by_run(executor: &Executor, id: &str, how: &str) {
    let run = executor.start(CALLS, id, how.into()).expect("new");
    let ended = executor.block_on(run);
    assert!(ended.as_ref().err().is_none_or(Error::is_closed), "{ended:?}");
}

/// Has a caller make a call; what came of that.
fn made(executor: &Executor, caller: &Caller, who: &str, call: Call) -> String {
    match who {
        "the main future" => return executor.block_on(async { call(executor) }),
        "another thread" => {
            let remote = executor.remote();
            let (done, is_done) = futures::channel::oneshot::channel();
            let other = thread::spawn(move || {
                let answer = futures::executor::block_on(remote.with(call));
                done.send(answer.expect("it is let in")).expect("somebody waits");
            });
            let answer = executor.block_on(is_done).expect("it is sent");
            other.join().expect("it does not panic");
            return answer;
        }
        "a rehearsal" => by_run(executor, "rehearsed", "workflow"),
        "a clock" => {
            caller.by_clock.set(Some(call));
            by_run(executor, "timed", "nothing");
            return caller.answer.take().expect("it is called");
        }
        _ => {}
    }
    caller.call.set(Some(call));
    match who {
        "a body" => by_run(executor, "calls", "body"),
        "a workflow" => by_run(executor, "calls", "workflow"),
        "the drop of a workflow" => by_run(executor, "calls", "drop"),
        "the drop of a body" => by_run(executor, "calls", "drop of a body"),
        "the drop of what decides" => by_run(executor, "calls", "drop of what decides"),
        "the drop of a transaction" => by_run(executor, "calls", "drop of a transaction"),
        "an observer" => by_run(executor, "observed", "nothing"),
        "a rehearsal" => executor.verify("rehearsed").expect("it ends the same"),
        "a transaction" => {
            let caller = caller.clone();
            let write = executor.write(move |_| {
                caller.call();
                Ok::<_, Error>(())
            });
            executor.block_on(write).expect("it is written");
        }
        "what reads tables" => executor.read(|_| caller.call()).expect("they are read"),
        "an input function" => {
            // What it starts is not driven: it is no run of before.
            executor.trigger("calls").expect("it is started");
        }
        _ => unreachable!("no such caller"),
    }
    caller.answer.take().expect("it is called")
}

const TABLES: &str = "while tables are read or written: do it before or behind that";

#[test]
fn who_may_call_what() {
    let driven = "the executor is driven already: await handles in its main future";
    // They need nobody who drives it.
    let beside = ["a clock", "a rehearsal", "what reads tables", "an input function"];
    let mut refused = 0;
    for (who, instead) in [
        ("the main future", None),
        ("a body", None),
        ("another thread", None),
        ("a workflow", Some("by a workflow: use what Ctx has, or a body")),
        ("the drop of a workflow", Some("by a workflow: use what Ctx has, or a body")),
        ("the drop of a body", Some("by a workflow: use what Ctx has, or a body")),
        ("the drop of what decides", Some("by a workflow: use what Ctx has, or a body")),
        ("the drop of a transaction", Some("by a workflow: use what Ctx has, or a body")),
        ("a rehearsal", Some("by a workflow: use what Ctx has, or a body")),
        ("an observer", Some("by an observer or a clock: post it with a Remote")),
        ("a clock", Some("by an observer or a clock: post it with a Remote")),
        ("a transaction", Some(TABLES)),
        ("what reads tables", Some(TABLES)),
        (
            "an input function",
            Some("by the input function of a schedule: its workflow may do more"),
        ),
    ] {
        for (what, call) in ALL {
            let caller = Caller::default();
            let executor = open(&caller);
            let before = runs(&executor);
            let answer = made(&executor, &caller, who, call);
            match instead {
                _ if what == "block_on" && !beside.contains(&who) => assert_eq!(answer, driven),
                Some(_) if what == "block_on" => {
                    let never = "the executor is not driven from where it calls itself";
                    assert_eq!(answer, never);
                }
                Some(instead) => {
                    assert_eq!(answer, format!("{what} {instead}"), "{who}");
                    executor.block_on(dacapo::yield_now());
                    assert_eq!(runs(&executor), before, "{who}: {what}");
                    refused += 1;
                }
                None => assert_eq!(answer, "ok", "{who}: {what}"),
            }
        }
    }
    assert_eq!(refused, 11 * 27);
}

/// What a step owns that is not begun again is dropped while its outcome is delivered once more.
#[test]
fn the_drop_of_a_body_in_a_replay() {
    let caller = Caller::default();
    let held = caller.clone();
    let executor = Executor::builder()
        .resident_max(0)
        .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, Error>(n))
        .workflow(WAITS, async move |ctx: &Ctx, ()| {
            let words = LastWords(held.clone());
            let body = async move || {
                let _words = &words;
                Ok::<_, Error>(())
            };
            ctx.step("held", body).await?;
            Ok::<_, Error>(ctx.receive(NUMBER).await)
        })
        .in_memory();
    *caller.weak.borrow_mut() = Some(executor.weak());
    let run = executor.start(WAITS, "waits", ()).expect("new");
    executor.block_on(async {
        run.accepted().await.expect("it is committed");
        while executor.statistics().expect("it is read").resident > 0 {
            dacapo::yield_now().await;
        }
        caller.call.set(Some(ALL[0].1));
        executor.send("waits", NUMBER, 7).await.expect("it waits");
        assert_eq!(run.await.expect("it ends"), 7);
    });
    let answer = caller.answer.take().expect("it is called");
    assert_eq!(answer, format!("{} by a workflow: use what Ctx has, or a body", ALL[0].0));
}

/// Panics when it is dropped.
struct Breaks;

impl Drop for Breaks {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("no cup");
        }
    }
}

/// Once its outcome is recorded, what a step owned is nobody's any more.
#[test]
fn a_panic_of_what_a_step_owned() {
    let executor = Executor::builder()
        .workflow(CALLS, async |ctx: &Ctx, how: String| {
            let breaks = Breaks;
            if how == "retry_if" {
                let decides = move |_: &Error| {
                    let _breaks = &breaks;
                    true
                };
                return ctx.step("call", async || Ok::<_, Error>(())).retry_if(decides).await;
            }
            let body = move |_: &mut dacapo::Tx<'_>| {
                let _breaks = &breaks;
                Ok::<_, Error>(())
            };
            ctx.transaction("call", body).await
        })
        .in_memory();
    for (id, how) in [("1", "retry_if"), ("2", "transaction"), ("3", "retry_if")] {
        let run = executor.start(CALLS, id, how.into()).expect("it goes on");
        executor.block_on(run).expect("it ends");
    }
}
