use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, HistoryEntry, HistoryEvent, Limits, Queue,
    Result, Retry, Start, Workflow,
};

use super::{most_at_once, order, told};

const MAIN: Workflow<(), ()> = Workflow::new("main");
const WORK: Workflow<u32, u32> = Workflow::new("work");
const HEAR: Workflow<u32, u32> = Workflow::new("hear");
const WORD: Channel<u32> = Channel::new("word");
const LINE: Queue = Queue::new("line");
const MS: Duration = Duration::from_millis(1);

async fn work_of(ctx: &Ctx, sim: &Sim, n: u32) -> Result<u32> {
    for name in ["one", "two"] {
        let sim = sim.clone();
        let body = async move |attempt: Attempt| {
            sim.latency().await;
            sim.note(&attempt);
            Ok::<_, Error>(())
        };
        ctx.step_with(name, body).await?;
    }
    Ok(n)
}

fn build(sim: &Sim, limits: Limits) -> Builder {
    let sim = sim.clone();
    Executor::builder()
        .workflow(MAIN, async |_: &Ctx, ()| Ok::<_, Error>(()))
        .workflow(WORK, async move |ctx: &Ctx, n| work_of(ctx, &sim, n).await)
        .workflow(HEAR, async |ctx: &Ctx, n: u32| Ok::<_, Error>(n + ctx.receive(WORD).await))
        .queue(LINE, limits)
}

/// Lets errors of the engine pass.
fn cancelled(error: Error) -> Result<()> {
    if error.is_cancelled() { Ok(()) } else { Err(error) }
}

/// Starts so many into the queue, waits for all, and gives what the file says of them.
async fn all_done(
    executor: &Executor,
    sim: &Sim,
    options: impl Fn(u32) -> Start,
    count: u32,
) -> Result<Vec<super::Told>> {
    let mut runs = Vec::new();
    for n in 0..count {
        runs.push(executor.start_with(WORK, &format!("run-{n}"), n, options(n))?);
        if sim.random().is_multiple_of(2) {
            sim.latency().await;
        }
    }
    for (n, run) in (0..).zip(runs) {
        assert_eq!(run.await?, n);
    }
    told(executor, "line")
}

/// One at a time, in the order in which they were accepted, wherever the process ends.
#[test]
fn one_at_a_time_in_their_order() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        let runs = all_done(executor, sim, |_| Start::new().queue(LINE), 5).await?;
        assert_eq!(most_at_once(&runs), 1);
        assert_eq!(order(&runs), ["run-0", "run-1", "run-2", "run-3", "run-4"]);
        Ok(())
    });
    let report = check
        .seeds(0..15)
        .crash_loops()
        .run(|sim| build(sim, Limits::new().concurrency(1)), |_| {});
    assert!(report.distinct_traces > 10, "{report:?}");
}

/// No more than the limit go on at any commit of any history.
#[test]
fn never_more_than_the_limit() {
    for limit in [2, 3] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, sim| {
            let runs = all_done(executor, sim, |_| Start::new().queue(LINE), 7).await?;
            assert!(most_at_once(&runs) <= limit, "{runs:?}");
            Ok(())
        });
        let build = |sim: &Sim| build(sim, Limits::new().concurrency(limit));
        check.seeds(0..10).crash_loops().run(build, |_| {});
    }
}

/// Of those that wait the smallest priority comes first, and of these the first that was accepted.
#[test]
fn smaller_priorities_come_first() {
    let sim = Sim::new(7, VirtualClock::default());
    let executor = sim.apply(build(&sim, Limits::new().concurrency(1))).in_memory();
    let runs: Vec<_> = [(0, 5), (1, 0), (2, -1), (3, 0), (4, -1)]
        .map(|(n, priority)| {
            let options = Start::new().queue(LINE).priority(priority);
            executor.start_with(WORK, &format!("run-{n}"), n, options).unwrap()
        })
        .into();
    executor.block_on(async {
        for run in runs {
            run.await.unwrap();
        }
    });
    let runs = told(&executor, "line").unwrap();
    assert_eq!(order(&runs), ["run-2", "run-4", "run-1", "run-3", "run-0"]);
}

/// So they do wherever the process ends: what was paused meanwhile goes on in that order.
#[test]
fn priorities_hold_over_restarts() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, _| {
        if executor.attach(WORK, "run-5").is_err() {
            executor.pause_queue(LINE).await?;
        }
        let options = |n: u32| Start::new().queue(LINE).priority(-(n as i32 % 3));
        let start = |n: u32| executor.start_with(WORK, &format!("run-{n}"), n, options(n));
        let runs = (0..6).map(start).collect::<Result<Vec<_>>>()?;
        for run in &runs {
            run.accepted().await?;
        }
        executor.resume_queue(LINE).await?;
        for run in runs {
            run.await?;
        }
        let order = order(&told(executor, "line")?);
        assert_eq!(order, ["run-2", "run-5", "run-1", "run-4", "run-0", "run-3"]);
        Ok(())
    });
    let build = |sim: &Sim| build(sim, Limits::new().concurrency(1));
    check.seeds(0..10).crash_loops().run(build, |_| {});
}

/// A delay is over before a run begins, also if the process ends meanwhile, and needs no queue.
#[test]
fn no_run_begins_before_its_time() {
    for queue in [None, Some(LINE)] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, sim| {
            let delayed = |n: u32| {
                let options = Start::new().delay((3 - n) * 20 * MS);
                queue.map_or(options.clone(), |queue| options.queue(queue))
            };
            let runs = all_done(executor, sim, delayed, 3).await?;
            let runs = if queue.is_some() { runs } else { told(executor, "")? };
            assert_eq!(runs.len(), 3);
            for (n, run) in (0..).zip(runs) {
                let (_, at) = run.admitted.expect("it has ended");
                let wait = (3 - n) * 20 * MS;
                let since = Duration::from_nanos(at.as_nanos() - run.run.started_at.as_nanos());
                assert!(since + MS >= wait, "{since:?} of {wait:?}");
            }
            Ok(())
        });
        check.seeds(0..10).crash_loops().run(|sim| build(sim, Limits::new()), |_| {});
    }
}

/// What comes to a run that waits is in its history before it begins, and nothing is brought into memory
/// for it.
#[test]
fn messages_reach_a_run_that_waits() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        let queued = || Start::new().queue(LINE);
        let first = executor.start_with(HEAR, "first", 1, queued())?;
        let second = executor.start_with(HEAR, "second", 2, queued())?;
        sim.latency().await;
        for (to, word) in [("second", 20), ("first", 10)] {
            let sent = executor.send(to, WORD, word).key("k").await;
            sent.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
            sim.latency().await;
        }
        assert_eq!((first.await?, second.await?), (11, 22));
        Ok(())
    });
    check.seeds(0..20).crash_loops().run(|sim| build(sim, Limits::new().concurrency(1)), |_| {});
}

/// A run that waits and is asked to end has ended with that commit, and its code never ran.
#[test]
fn a_run_that_waits_ends_at_once() {
    for how in ["cancel", "terminate", "deadline"] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, sim| {
            let queued = || Start::new().queue(LINE);
            let first = executor.start_with(HEAR, "first", 1, queued())?;
            let timeout = if how == "deadline" { 20 * MS } else { 1_000_000 * MS };
            let second = executor.start_with(WORK, "second", 2, queued().timeout(timeout))?;
            let third = executor.start_with(WORK, "third", 3, queued())?;
            sim.latency().await;
            let done = match how {
                "cancel" => executor.cancel("second").await,
                "terminate" => executor.terminate("second").await,
                _ => Ok(()),
            };
            done?;
            second.await.map_or_else(cancelled, |_| panic!("its code has run"))?;
            let sent = executor.send("first", WORD, 10).key("k").await;
            sent.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
            assert_eq!((first.await?, third.await?), (11, 3));
            let runs = told(executor, "line")?;
            assert_eq!(order(&runs), ["first", "third"], "{runs:?}");
            Ok(())
        });
        let build = |sim: &Sim| build(sim, Limits::new().concurrency(1));
        check.seeds(0..15).crash_loops().run_all(build, |ends| {
            assert!(!ends.sim().effects().keys().any(|key| key.starts_with("second")));
        });
    }
}

/// Nothing interrupts a run by letting it wait: its first step has its first attempt, and no other if its policy
/// says so, in the commit that follows the admission.
#[test]
fn who_has_waited_has_lost_no_attempt() {
    let one = async |ctx: &Ctx, n: u32| {
        let body = async move |attempt: Attempt| {
            assert_eq!(attempt.number(), 1);
            Ok::<_, Error>(n)
        };
        ctx.step_with("once", body).retry(Retry::never()).or_park().await
    };
    let builder = Executor::builder().workflow(WORK, one);
    let executor = builder.queue(LINE, Limits::new().concurrency(1)).in_memory();
    let queued = |n: u32| Start::new().queue(LINE).delay(MS * (n % 2));
    let start = |n: u32| executor.start_with(WORK, &n.to_string(), n, queued(n));
    let runs = (0..6).map(start).collect::<Result<Vec<_>>>().unwrap();
    for (n, run) in (0..).zip(runs) {
        assert_eq!(executor.block_on(run).unwrap(), n);
        let history = executor.history(&n.to_string(), 0..u64::MAX).unwrap().entries;
        assert_eq!(history.len(), 4, "submission, admission, step, end: {history:?}");
        assert_eq!(history[2].commit, history[1].commit + 1);
    }
}

/// A run that was asked to end while it waited, and is retried, waits again, whatever its deadline was; its code
/// runs once.
#[test]
fn a_run_that_waited_is_retried() {
    for how in ["cancel", "terminate", "deadline"] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, sim| {
            let queued = || Start::new().queue(LINE);
            let first = executor.start_with(HEAR, "first", 1, queued())?;
            let timeout = if how == "deadline" { 20 * MS } else { 1_000_000 * MS };
            let second = executor.start_with(WORK, "second", 2, queued().timeout(timeout))?;
            second.accepted().await?;
            let history = executor.history("second", 0..u64::MAX)?.entries;
            let is_retry =
                |entry: &HistoryEntry| matches!(entry.event, HistoryEvent::Retried { .. });
            if !history.iter().any(is_retry) {
                sim.latency().await;
                let done = match how {
                    "cancel" => executor.cancel("second").await,
                    "terminate" => executor.terminate("second").await,
                    _ => Ok(()),
                };
                done.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
                second.await.map_or_else(cancelled, |_| panic!("its code has run"))?;
                executor.retry("second")?;
                sim.latency().await;
            }
            let sent = executor.send("first", WORD, 10).key("k").await;
            sent.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
            assert_eq!(first.await?, 11);
            assert_eq!(executor.attach(WORK, "second")?.await?, 2);
            let runs = told(executor, "line")?;
            assert_eq!(order(&runs), ["first", "second"], "{runs:?}");
            assert_eq!(most_at_once(&runs), 1);
            Ok(())
        });
        let build = |sim: &Sim| build(sim, Limits::new().concurrency(1));
        check.seeds(0..10).crash_loops().run(build, |_| {});
    }
}

/// Nor does a retry take a unique key from whoever has it now.
#[test]
fn a_retry_does_not_take_a_key() {
    let sim = Sim::new(7, VirtualClock::default());
    let executor = sim.apply(build(&sim, Limits::new().concurrency(1))).in_memory();
    let keyed = || Start::new().queue(LINE).unique("key");
    for id in ["one", "two"] {
        let run = executor.start_with(HEAR, id, 1, keyed()).unwrap();
        executor.block_on(executor.cancel(id)).unwrap();
        assert!(executor.block_on(run).unwrap_err().is_cancelled());
    }
    executor.retry("two").unwrap();
    let refused = executor.retry("one").unwrap_err();
    assert!(refused.is_taken());
    assert_eq!(refused.to_string(), r#"run "one" is not retried: run "two" has its unique key"#);
    executor.block_on(executor.send("two", WORD, 1)).unwrap();
    let two = executor.attach(HEAR, "two").unwrap();
    assert_eq!(executor.block_on(two).unwrap(), 2);
    executor.retry("one").unwrap();
}

/// A run that waits may be deleted: whoever waits for it is told, and its id is free.
#[test]
fn a_run_that_waits_is_deleted() {
    let sim = Sim::new(7, VirtualClock::default());
    let executor = sim.apply(build(&sim, Limits::new().concurrency(1))).in_memory();
    let queued = || Start::new().queue(LINE);
    let first = executor.start_with(HEAR, "first", 1, queued()).unwrap();
    let second = executor.start_with(WORK, "second", 2, queued().unique("key")).unwrap();
    executor.block_on(async {
        executor.delete("second").await.unwrap();
        assert!(second.await.unwrap_err().is_cancelled());
        assert!(executor.attach(WORK, "second").unwrap_err().is_not_found());
        let again = executor.start_with(WORK, "another", 4, queued().unique("key")).unwrap();
        executor.send("first", WORD, 1).await.unwrap();
        assert_eq!((first.await.unwrap(), again.await.unwrap()), (2, 4));
    });
}

/// A run that is parked, or that this build has no code for, takes no room; when it is resumed it does.
#[test]
fn who_does_not_go_on_takes_no_room() {
    const STUCK: Workflow<(), ()> = Workflow::new("stuck");
    let (store, sim) = (MemoryStore::new(), Sim::new(7, VirtualClock::default()));
    let queued = || Start::new().queue(LINE);
    let open = || {
        let builder = sim.apply(build(&sim, Limits::new().concurrency(1)));
        builder.workflow(STUCK, async |_: &Ctx, ()| -> Result<()> { panic!("stuck") })
    };
    let executor = open().open_with(store.shared()).unwrap();
    let stuck = executor.start_with(STUCK, "stuck", (), queued()).unwrap();
    let work = executor.start_with(WORK, "work", 1, queued()).unwrap();
    assert!(executor.block_on(stuck).unwrap_err().is_parked());
    assert_eq!(executor.block_on(work).unwrap(), 1);
    let hear = executor.start_with(HEAR, "hear", 1, queued()).unwrap();
    let next = executor.start_with(WORK, "next", 2, queued()).unwrap();
    executor.block_on(async {
        hear.accepted().await.unwrap();
        sim.clock().sleep(MS).await;
    });
    drop((executor, next));
    // A build without the code of the one that goes on.
    let without = Executor::builder().queue(LINE, Limits::new().concurrency(1));
    let sim_work = sim.clone();
    let without =
        without.workflow(WORK, async move |ctx: &Ctx, n| work_of(ctx, &sim_work, n).await);
    let executor = sim.apply(without).open_with(store.shared()).unwrap();
    let next = executor.attach(WORK, "next").unwrap();
    assert_eq!(executor.block_on(next).unwrap(), 2);
    drop(executor);
    let executor = open().open_with(store).unwrap();
    let last = executor.start_with(WORK, "last", 3, queued()).unwrap();
    executor.block_on(async {
        last.accepted().await.unwrap();
        sim.clock().sleep(MS).await;
        let waits = executor.runs(&Filter::new().states(&[RunState::Queued])).unwrap();
        assert_eq!(waits.len(), 1, "the one that hears takes the room again");
        executor.send("hear", WORD, 1).await.unwrap();
        assert_eq!(last.await.unwrap(), 3);
    });
}

/// What waits for code or a queue that this build does not have is told, and goes on with one that has them.
#[test]
fn a_queue_that_a_build_does_not_define() {
    let (store, sim) = (MemoryStore::new(), Sim::new(7, VirtualClock::default()));
    let queued = || Start::new().queue(LINE);
    let executor =
        sim.apply(build(&sim, Limits::new().concurrency(1))).open_with(store.shared()).unwrap();
    let runs = [("one", HEAR), ("two", WORK)]
        .map(|(id, workflow)| executor.start_with(workflow, id, 1, queued()).unwrap());
    executor.block_on(async {
        for run in &runs {
            run.accepted().await.unwrap();
        }
    });
    drop((runs, executor));
    let sim_work = sim.clone();
    let without = Executor::builder()
        .workflow(WORK, async move |ctx: &Ctx, n| work_of(ctx, &sim_work, n).await);
    let executor = sim.apply(without).open_with(store.shared()).unwrap();
    let refused = executor.start_with(WORK, "three", 1, queued()).unwrap_err();
    let why =
        r#"run "three" needs the queue "line", which is not defined: add it with Builder::queue"#;
    assert_eq!(refused.to_string(), why);
    let refused = executor.attach(WORK, "two").unwrap_err();
    assert_eq!(refused.to_string(), why.replace("three", "two"));
    assert_eq!(executor.unregistered().unwrap().len(), 1);
    executor.block_on(sim.clock().sleep(MS));
    drop(executor);
    let executor = sim.apply(build(&sim, Limits::new())).open_with(store).unwrap();
    executor.block_on(executor.send("one", WORD, 1)).unwrap();
    let [one, two] =
        [("one", HEAR), ("two", WORK)].map(|(id, workflow)| executor.attach(workflow, id).unwrap());
    assert_eq!(executor.block_on(async { (one.await.unwrap(), two.await.unwrap()) }), (2, 1));
}

/// What a place needs is said, with what to do.
#[test]
fn places_that_cannot_be() {
    const PARTS: Queue = Queue::new("parts");
    let sim = Sim::new(7, VirtualClock::default());
    let builder = sim.apply(build(&sim, Limits::new().concurrency(1)));
    let builder = builder.queue(PARTS, Limits::new().per_partition(Limits::new().concurrency(1)));
    let executor = builder.in_memory();
    let refused = [
        (Start::new().priority(1), "a priority is one in a queue: say in which"),
        (Start::new().partition("ada"), "a partition is one of a queue: say of which"),
        (
            Start::new().queue(PARTS),
            r#"queue "parts" has limits for each partition: say which one with Start::partition"#,
        ),
        (
            Start::new().queue(LINE).partition("ada"),
            "queue \"line\" has no partitions: leave out \"ada\", or give it limits for each with \
             Limits::per_partition",
        ),
    ];
    for (options, why) in refused {
        let error = executor.start_with(WORK, "one", 1, options).unwrap_err();
        assert_eq!(error.to_string(), format!(r#"run "one" cannot wait so: {why}"#));
    }
    let none = executor.runs(&Filter::new()).unwrap();
    assert!(none.is_empty());
}
