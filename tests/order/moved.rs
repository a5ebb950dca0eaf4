use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunState};
use dacapo::{
    Builder, Channel, Ctx, Debounce, Error, Executor, Limits, Queue, Result, Start, Timestamp,
    Workflow,
};

use super::{order, told};

const MAIN: Workflow<(), ()> = Workflow::new("main");
const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const HEAR: Workflow<u32, u32> = Workflow::new("hear");
const WORD: Channel<u32> = Channel::new("word");
const LINE: Queue = Queue::new("line");
const OTHER: Queue = Queue::new("other");
const MS: Duration = Duration::from_millis(1);

fn build(_: &Sim) -> Builder {
    Executor::builder()
        .workflow(MAIN, async |_: &Ctx, ()| Ok::<_, Error>(()))
        .workflow(ECHO, async |_: &Ctx, n: u32| Ok::<_, Error>(n))
        .workflow(HEAR, async |ctx: &Ctx, n: u32| Ok::<_, Error>(n + ctx.receive(WORD).await))
        .queue(LINE, Limits::new().concurrency(1))
        .queue(OTHER, Limits::new().concurrency(1))
}

fn unless_late(done: Result<()>) -> Result<()> {
    let is_late = |error: &Error| error.is_ended() || error.to_string().contains("has begun");
    done.or_else(|error| if is_late(&error) { Ok(()) } else { Err(error) })
}

/// Runs that wait are moved to the front, to another queue, and to a later time; wherever the process
/// ends, each runs once, and from where it was put last.
#[test]
fn runs_that_wait_are_moved() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        let queued = || Start::new().queue(LINE);
        let first = executor.start_with(HEAR, "first", 0, queued())?;
        first.accepted().await?;
        // A process that is shut down admits none.
        let is_admitted = || -> Result<bool> {
            // An error, when it has been.
            executor.queue(LINE)?;
            let place = executor.info("first")?.queue.expect("it has a place");
            Ok(place.admitted_at.is_some())
        };
        while !is_admitted()? {
            sim.latency().await;
        }
        let start = |n: u32| executor.start_with(ECHO, &n.to_string(), n, queued());
        let runs = (0..5).map(start).collect::<Result<Vec<_>>>()?;
        sim.latency().await;
        unless_late(executor.requeue("3", queued().priority(-1)).await)?;
        unless_late(executor.requeue("1", Start::new().queue(OTHER)).await)?;
        unless_late(executor.requeue("2", queued().delay(1_000_000 * MS)).await)?;
        sim.latency().await;
        let sent = executor.send("first", WORD, 1).key("k").await;
        sent.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
        assert_eq!(first.await?, 1);
        for (n, run) in (0..).zip(runs) {
            assert_eq!(run.await?, n);
        }
        assert_eq!(order(&told(executor, "line")?), ["first", "3", "0", "4", "2"]);
        assert_eq!(order(&told(executor, "other")?), ["1"]);
        Ok(())
    });
    check.seeds(0..20).crash_loops().run(build, |_| {});
}

/// A run that has begun, or may not be there, stays where it is.
#[test]
fn what_cannot_be_moved() {
    let sim = Sim::new(7, VirtualClock::default());
    let executor = sim.apply(build(&sim)).in_memory();
    let queued = || Start::new().queue(LINE);
    let first = executor.start_with(HEAR, "first", 0, queued()).unwrap();
    let keyed = executor.start_with(ECHO, "keyed", 1, queued().unique("key")).unwrap();
    let second = executor.start_with(ECHO, "second", 2, queued()).unwrap();
    executor.block_on(async {
        second.accepted().await.unwrap();
        let refused = executor.requeue("first", queued()).await.unwrap_err();
        let why = r#"run "first" has begun: what it waited for cannot be changed any more"#;
        assert_eq!(refused.to_string(), why);
        let refused = executor.requeue("second", queued().unique("key")).await.unwrap_err();
        assert!(refused.is_taken(), "{refused}");
        let refused = executor.requeue("second", queued().partition("p")).await.unwrap_err();
        assert!(refused.to_string().contains("has no partitions"), "{refused}");
        let unknown = Start::new().queue(Queue::new("unknown"));
        let refused = executor.requeue("second", unknown).await.unwrap_err();
        assert!(refused.to_string().contains("is not defined"), "{refused}");
        assert!(executor.requeue("nobody", queued()).await.unwrap_err().is_not_found());
        executor.send("first", WORD, 1).await.unwrap();
        assert_eq!((first.await.unwrap(), keyed.await.unwrap(), second.await.unwrap()), (1, 1, 2));
        assert!(executor.requeue("second", queued()).await.unwrap_err().is_ended());
    });
}

/// Of a burst of calls the last input runs, once, when it has been quiet for a while; the next call begins
/// another run. Each that was acknowledged before a crash counts.
#[test]
fn the_last_input_of_a_burst_runs() {
    for queue in [None, Some(LINE)] {
        let check = sim::check(MAIN).start("main", ()).client(async move |executor, sim| {
            let wait = Debounce::new(20 * MS);
            let wait = queue.map_or(wait, |queue| wait.queue(queue));
            for n in 1..=4 {
                let call = executor.debounce(ECHO, "key", wait, n)?;
                call.accepted().await?;
                sim.latency().await;
                if n == 4 {
                    assert_eq!(call.await?, n, "nobody calls after it");
                }
            }
            let runs = executor.runs(&Filter::new().id_prefix("key@"))?;
            assert!(!runs.is_empty() && runs.len() <= 16);
            Ok(())
        });
        check.seeds(0..15).crash_loops().run(build, |_| {});
    }
}

/// A stream of calls does not put the run off beyond the cap.
#[test]
fn a_burst_without_end_is_capped() {
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let open = || {
        let sim = Sim::new(7, clock.clone());
        sim.apply(build(&sim)).open_with(store.shared()).unwrap()
    };
    let mut executor = open();
    let wait = Debounce::new(20 * MS).at_most(50 * MS);
    let begin = dacapo::Clock::now(&clock);
    let mut calls = Vec::new();
    for n in 0..12 {
        let call = executor.debounce(ECHO, "key", wait, n).unwrap();
        executor.block_on(async {
            call.accepted().await.unwrap();
            clock.sleep(10 * MS).await;
        });
        calls.push(call.id().to_owned());
        if n == 2 {
            drop((call, executor));
            executor = open();
        }
    }
    calls.dedup();
    // 50 ms, 50 ms, and the rest.
    assert_eq!(calls.len(), 3, "{calls:?}");
    let first = executor.block_on(executor.attach(ECHO, &calls[0]).unwrap()).unwrap();
    assert_eq!(first, 4, "the last one before the cap");
    let at = executor.runs(&Default::default()).unwrap()[0].queue.clone().unwrap().admitted_at;
    let since = at.unwrap() - Timestamp::as_nanos(begin);
    assert!((50_000_000..60_000_000).contains(&since), "{since}");
}

/// What is paused stays so over restarts, and goes on when somebody says so; what is drained has ended.
#[test]
fn queues_are_paused_and_drained() {
    let (store, sim) = (MemoryStore::new(), Sim::new(7, VirtualClock::default()));
    let open = || sim.apply(build(&sim)).open_with(store.shared()).unwrap();
    let queued = || Start::new().queue(LINE);
    let executor = open();
    executor.block_on(executor.pause_queue(LINE)).unwrap();
    let runs: Vec<_> = (0..250)
        .map(|n: u32| executor.start_with(ECHO, &n.to_string(), n, queued()).unwrap())
        .collect();
    let other = executor.start_with(ECHO, "other", 7, Start::new().queue(OTHER)).unwrap();
    assert_eq!(executor.block_on(other).unwrap(), 7);
    drop((runs, executor));
    let executor = open();
    executor.block_on(sim.clock().sleep(1_000 * MS));
    let queue = executor.queue(LINE).unwrap();
    assert_eq!((queue.waiting, queue.is_paused), (250, true));
    executor.block_on(executor.resume_queue(LINE)).unwrap();
    let first = executor.attach(ECHO, "0").unwrap();
    assert_eq!(executor.block_on(first).unwrap(), 0);
    executor.block_on(executor.pause_queue(LINE)).unwrap();
    let waiting = executor.queue(LINE).unwrap().waiting;
    assert!(waiting > 100);
    assert_eq!(executor.block_on(executor.drain_queue(LINE)).unwrap(), waiting);
    assert_eq!(executor.queue(LINE).unwrap().waiting, 0);
    let unknown = executor.queue(Queue::new("unknown")).unwrap_err();
    let why = r#"the queue "unknown" is not defined: add it with Builder::queue"#;
    assert_eq!(unknown.to_string(), why);
}

/// What is paused admits nothing, and a stream of calls puts no run off beyond the cap, wherever the process ends.
#[test]
fn pauses_and_caps_hold_wherever_the_process_ends() {
    let check = sim::check(MAIN).start("main", ()).client(async |executor, sim| {
        executor.pause_queue(LINE).await?;
        let run = executor.start_with(ECHO, "waits", 7, Start::new().queue(LINE))?;
        run.accepted().await?;
        let waits = || Ok::<_, Error>(executor.info("waits")?.state == RunState::Queued);
        let waited = waits()?;
        let wait = Debounce::new(20 * MS).at_most(50 * MS);
        for n in 0..8 {
            drop(executor.debounce(ECHO, "key", wait, n)?);
            sim.clock().sleep(10 * MS).await;
        }
        assert_eq!(waits()?, waited, "it is paused");
        for run in executor.runs(&Filter::new().id_prefix("key@"))? {
            let place = run.queue.expect("it waits for a time");
            let latest = run.started_at + 50 * MS;
            assert!(Timestamp::from_nanos(place.eligible_at) <= latest, "{place:?}");
        }
        executor.resume_queue(LINE).await?;
        assert_eq!(run.await?, 7);
        executor.pause_queue(LINE).await?;
        let runs =
            (0..3).map(|n| executor.start_with(ECHO, &format!("{n}"), n, Start::new().queue(LINE)));
        let runs = runs.collect::<Result<Vec<_>>>()?;
        for run in &runs {
            run.accepted().await?;
        }
        let waiting = executor.queue(LINE)?.waiting;
        assert_eq!(executor.drain_queue(LINE).await?, waiting);
        for run in runs {
            // A process before may have let it go on, and then it has ended so.
            run.await
                .map(drop)
                .or_else(|error| if error.is_cancelled() { Ok(()) } else { Err(error) })?;
        }
        Ok(())
    });
    check.seeds(0..10).crash_loops().run(build, |_| {});
}
