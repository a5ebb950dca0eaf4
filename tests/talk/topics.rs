//! What runs publish, and who reads it.

use std::time::Duration;

use dacapo::sim::{self, Recorder, Sim, VirtualClock};
use dacapo::store::MemoryStore;
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, Result, Retry, Topic, Value, Workflow, join,
    race,
};
use futures::StreamExt;
use futures::future::poll_immediate;

const WORK: Workflow<u64, u64> = Workflow::new("work");
const STATUS: Topic<String> = Topic::new("status");
const LINES: Topic<u64> = Topic::new("lines");
const WORD: Channel<u64> = Channel::new("word");

/// Two tasks that publish, steps whose bodies do, and one that is dropped.
async fn work(ctx: &Ctx, sim: &Sim, n: u64) -> Result<u64> {
    ctx.publish(STATUS, "begun".into());
    let task = |name: &'static str| {
        let sim = sim.clone();
        ctx.spawn(async move |ctx: &Ctx| {
            for i in 0..n {
                ctx.publish(STATUS, format!("{name} {i}"));
                report(ctx, &sim, i).await?;
            }
            Ok::<_, Error>(())
        })
    };
    let (left, right) = (task("left"), task("right"));
    let (left, right) = join(left, right).await;
    left.and(right)?;
    let dropped = async {
        // One is never polled; of the other the body is cut off by the report that is first.
        let never = |ctx: &Ctx, value| {
            ctx.step_with("never", async move |attempt: Attempt| {
                attempt.publish(LINES, value);
                std::future::pending::<Result<()>>().await
            })
        };
        drop(never(ctx, 9_999));
        race(never(ctx, 5_000), report(ctx, sim, 100)).await
    };
    dropped.await?;
    ctx.publish(STATUS, "done".into());
    Ok(n)
}

fn report(ctx: &Ctx, sim: &Sim, n: u64) -> dacapo::Step<()> {
    let sim = sim.clone();
    ctx.step_with("report", async move |attempt: Attempt| {
        attempt.publish(LINES, 10 * n);
        sim.latency().await;
        attempt.publish(LINES, 10 * n + 1);
        sim.note(&attempt);
        Ok::<_, Error>(())
    })
}

fn build(sim: &Sim) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(WORK, async move |ctx: &Ctx, n| work(ctx, &sim, n).await)
}

/// All values of a topic, up to the end of the run; again until the run is there.
async fn all<T: Value>(executor: &Executor, sim: &Sim, topic: Topic<T>) -> Result<Vec<T>> {
    loop {
        sim.latency().await;
        let mut values = Vec::new();
        let mut follow = executor.follow("run", topic, 0);
        loop {
            match follow.next().await {
                Some(Ok((offset, value))) => {
                    assert_eq!(offset, values.len() as u64, "no value is left out");
                    values.push(value);
                }
                Some(Err(error)) if error.is_not_found() => break,
                Some(Err(error)) => return Err(error),
                None => return Ok(values),
            }
        }
    }
}

/// Followed beside the run, and read after it: the same series, in the order of the code.
#[test]
fn what_is_published_is_there_once_and_in_order() {
    for resident_max in [0, 1_000] {
        let check = sim::check(WORK).start("run", 3).client(async |executor, sim| {
            let (beside, lines) = join(all(executor, sim, STATUS), all(executor, sim, LINES)).await;
            let (beside, lines) = (beside?, lines?);
            assert_eq!(beside, all(executor, sim, STATUS).await?);
            assert_eq!(lines, all(executor, sim, LINES).await?);
            assert_eq!((&*beside[0], &*beside[7]), ("begun", "done"));
            for name in ["left", "right"] {
                let own: Vec<_> = beside.iter().filter(|value| value.starts_with(name)).collect();
                assert_eq!(own, [&format!("{name} 0"), &format!("{name} 1"), &format!("{name} 2")]);
            }
            assert_eq!(executor.latest("run", STATUS)?.as_deref(), Some("done"));
            assert_eq!(executor.latest("run", LINES)?.as_ref(), lines.last());
            // At least once, and in the order of each body; never of a step that was not polled.
            for n in [0, 1, 2, 100] {
                let place = |value| lines.iter().position(|line| *line == value);
                assert!(place(10 * n) < place(10 * n + 1), "{n}: {lines:?}");
            }
            assert!(!lines.contains(&9_999), "{lines:?}");
            Ok(())
        });
        let build = move |sim: &Sim| build(sim).resident_max(resident_max);
        let report = check.seeds(0..15).crash_loops().run(build, |n| assert_eq!(*n, 3));
        assert!(report.distinct_traces > 10, "{report:?}");
    }
}

/// Two tasks of one delivery publish and send to the run itself: recorded in the order of the code.
#[test]
fn marks_and_requests_are_in_the_order_of_the_code() -> Result<()> {
    let recorder = Recorder::default();
    let executor = Executor::builder()
        .workflow(WORK, async |ctx: &Ctx, _| {
            let task = |n: u64| {
                ctx.spawn(async move |ctx: &Ctx| {
                    ctx.publish(LINES, n);
                    ctx.send(ctx.id(), WORD, n).await?;
                    ctx.publish(LINES, 10 + n);
                    Ok::<_, Error>(())
                })
            };
            let (left, right) = (task(1), task(2));
            let (left, right) = join(left, right).await;
            left.and(right)?;
            Ok::<_, Error>(ctx.receive(WORD).await)
        })
        .observer(recorder.clone())
        .in_memory();
    assert_eq!(executor.block_on(executor.start(WORK, "run", 0)?)?, 1);
    let delivered = |line: &String| line.split_once(": ").map(|(_, record)| record.to_owned());
    let trace = recorder.trace("run");
    let records: Vec<_> = trace.iter().filter_map(delivered).skip(1).collect();
    assert_eq!(
        records,
        [
            r#"publish 1.1 on "lines""#,
            r#"outcome of send 1.2 "word""#,
            r#"publish 2.1 on "lines""#,
            r#"outcome of send 2.2 "word""#,
            r#"message on channel "word""#,
            r#"message on channel "word""#,
            r#"publish 1.3 on "lines""#,
            r#"publish 2.3 on "lines""#,
            "end of the run with an output",
        ]
        .map(|record| record.to_owned())
        .map(|record| match record.strip_prefix("outcome of send") {
            Some(rest) => format!("outcome of send{rest} [run]"),
            None => record,
        })
    );
    executor.verify("run")
}

/// A later build publishes elsewhere, on another topic, or not at all.
#[test]
fn a_later_build_must_publish_the_same() -> Result<()> {
    async fn rest(ctx: &Ctx) -> Result<u64> {
        ctx.step("step", async || Ok::<_, Error>(1)).await?;
        Ok(ctx.receive(WORD).await)
    }
    const OTHER: Topic<String> = Topic::new("other");
    type Build = fn() -> Builder;
    let original: Build = || {
        Executor::builder().workflow(WORK, async |ctx: &Ctx, _| {
            ctx.publish(STATUS, "begun".into());
            rest(ctx).await
        })
    };
    let renamed: Build = || {
        Executor::builder().workflow(WORK, async |ctx: &Ctx, _| {
            ctx.publish(OTHER, "begun".into());
            rest(ctx).await
        })
    };
    let missing: Build =
        || Executor::builder().workflow(WORK, async |ctx: &Ctx, _| rest(ctx).await);
    let store = MemoryStore::new();
    let executor = original().open_with(store.shared())?;
    drop(executor.start(WORK, "run", 0)?);
    executor.block_on(async {
        let mut follow = executor.follow("run", STATUS, 0);
        follow.next().await.expect("it publishes")
    })?;
    drop(executor);
    for (build, told) in [
        (renamed, r#"holds publish 1 on "status", but the code made the publish 1 on "other""#),
        (missing, r#"holds publish 1 on "status", but the code made none"#),
    ] {
        let executor = build().open_with(store.snapshot())?;
        let error = executor.verify("run").unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    original().open_with(store.snapshot())?.verify("run")
}

/// A later build publishes once more before the end that is recorded.
#[test]
fn a_later_build_must_not_publish_more() -> Result<()> {
    let store = MemoryStore::new();
    let open = |publishes_more: bool| {
        let builder = Executor::builder().workflow(WORK, async move |ctx: &Ctx, n| {
            ctx.step("step", async || Ok::<_, Error>(())).await?;
            if publishes_more {
                ctx.publish(STATUS, "ends".into());
            }
            Ok::<_, Error>(n)
        });
        builder.open_with(store.shared())
    };
    let executor = open(false)?;
    assert_eq!(executor.block_on(executor.start(WORK, "run", 7)?)?, 7);
    executor.verify("run")?;
    drop(executor);
    let error = open(true)?.verify("run").unwrap_err().to_string();
    let told = r#"but the code made the publish 2 on "status" before"#;
    assert!(error.contains(told), "{error}");
    Ok(())
}

/// What somebody reads of a run that is not there, sleeps, is parked, has another type, ends.
#[test]
fn who_is_read_and_followed() -> Result<()> {
    const TEXT: Topic<String> = Topic::new("lines");
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let open = |mends: bool| {
        let builder = Executor::builder().workflow(WORK, async move |ctx: &Ctx, n: u64| {
            for n in 0..n {
                ctx.publish(LINES, n);
                ctx.sleep(Duration::from_secs(60)).await;
            }
            if n == 3 && !mends {
                panic!("no tea");
            }
            ctx.publish(LINES, 100);
            Ok::<_, Error>(n)
        });
        builder.clock(clock.clone()).resident_max(0).open_with(store.shared())
    };
    let executor = open(false)?;
    assert!(executor.latest("nobody", LINES).unwrap_err().is_not_found());
    let mut nobody = executor.follow("nobody", LINES, 0);
    let first = executor.block_on(nobody.next()).expect("an error is an item");
    assert!(first.unwrap_err().is_not_found());
    assert!(executor.block_on(nobody.next()).is_none());

    drop(executor.start(WORK, "run", 3)?);
    assert_eq!(executor.latest("run", LINES)?, None, "nothing is committed");
    // It leaves memory, and is read all the same.
    let mut follow = executor.follow("run", LINES, 1);
    executor.block_on(async {
        clock.sleep(Duration::from_secs(90)).await;
        assert_eq!(follow.next().await.expect("more")?, (1, 1));
        assert!(poll_immediate(follow.next()).await.is_none(), "it waits");
        Ok::<_, Error>(())
    })?;
    assert_eq!(executor.latest("run", LINES)?, Some(1));
    let error = executor.latest("run", TEXT).unwrap_err().to_string();
    assert!(error.contains(r#"on topic "lines" does not decode as"#), "{error}");
    // Over a restart it goes on where it stopped.
    drop(executor);
    let error = futures::executor::block_on(follow.next()).expect("an error is an item");
    assert!(error.unwrap_err().is_closed());
    let executor = open(false)?;
    let mut follow = executor.follow("run", LINES, 2);
    assert_eq!(executor.block_on(follow.next()).expect("more")?, (2, 2));
    // It is parked: followers wait.
    let parked = executor.attach(WORK, "run")?;
    assert!(executor.block_on(parked).unwrap_err().is_parked());
    assert!(executor.block_on(poll_immediate(follow.next())).is_none());
    assert_eq!(executor.latest("run", LINES)?, Some(2));
    drop(executor);

    let executor = open(true)?;
    let mut follow = executor.follow("run", LINES, 3);
    assert!(executor.block_on(poll_immediate(follow.next())).is_none());
    executor.resume("run")?;
    assert_eq!(executor.block_on(follow.next()).expect("more")?, (3, 100));
    assert!(executor.block_on(follow.next()).is_none(), "it has ended");
    assert_eq!(executor.latest("run", LINES)?, Some(100));
    assert_eq!(executor.latest("run", STATUS)?, None);
    // Of one that has ended, also with another type: errors are items, and others follow.
    let texts: Vec<_> = executor.block_on(executor.follow("run", TEXT, 0).collect());
    assert!(texts.len() == 4 && texts[3].is_err(), "{texts:?}");
    // One that is ended, and deleted before anybody looked.
    drop(executor.start(WORK, "parked", 1)?);
    let mut follow = executor.follow("parked", LINES, 1);
    executor.block_on(async {
        assert!(poll_immediate(follow.next()).await.is_none());
        executor.terminate("parked").await?;
        assert!(executor.attach(WORK, "parked")?.await.unwrap_err().is_cancelled());
        executor.delete("parked").await
    })?;
    assert!(executor.block_on(follow.next()).is_none());
    Ok(())
}

/// The history is read in pages, from the end or from an offset.
#[test]
fn long_series_are_read_in_pages() -> Result<()> {
    let store = MemoryStore::new();
    let open = || {
        let builder = Executor::builder().workflow(WORK, async |ctx: &Ctx, n: u64| {
            ctx.publish(STATUS, "first".into());
            for n in 0..n {
                ctx.publish(LINES, n);
            }
            Ok::<_, Error>(n)
        });
        builder.open_with(store.shared())
    };
    let executor = open()?;
    executor.block_on(executor.start(WORK, "run", 1_000)?)?;
    drop(executor);
    let executor = open()?;
    assert_eq!(executor.latest("run", STATUS)?.as_deref(), Some("first"));
    assert_eq!(executor.latest("run", LINES)?, Some(999));
    let remote = executor.remote();
    for from in [0, 1, 255, 256, 700, 999, 1_000, u64::MAX] {
        let values = executor.follow("run", LINES, from).map(|value| value.expect("it is read"));
        let values: Vec<_> = executor.block_on(values.collect());
        let expected: Vec<_> = (from.min(1_000)..1_000).map(|n| (n, n)).collect();
        assert_eq!(values, expected);
        let values = remote.follow("run", LINES, from).map(|value| value.expect("it is read"));
        assert_eq!(executor.block_on(values.collect::<Vec<_>>()), expected);
    }
    Ok(())
}

/// From threads of bodies that block, in order with the outcome; not when the step was dropped.
#[test]
fn bodies_that_block_publish_too() -> Result<()> {
    let (told, hears) = std::sync::mpsc::channel::<()>();
    let hears = std::sync::Arc::new(std::sync::Mutex::new(hears));
    let executor = Executor::builder()
        .workflow(WORK, async move |ctx: &Ctx, n: u64| {
            let counts = ctx.step_blocking("count", move |attempt: &Attempt| {
                (0..n).for_each(|n| attempt.publish(LINES, n));
                Ok::<_, Error>(())
            });
            counts.await?;
            let hears = hears.clone();
            let blocks = ctx.step_blocking("late", move |attempt: &Attempt| {
                let _ = hears.lock().expect("nobody panics").recv();
                attempt.publish(LINES, 1_000);
                Ok::<_, Error>(())
            });
            let short = ctx.step("short", async || Ok::<_, Error>(()));
            race(blocks, short).await?;
            told.send(()).expect("it waits");
            ctx.sleep(Duration::from_millis(20)).await;
            Ok::<_, Error>(n)
        })
        .in_memory();
    let remote = executor.remote();
    drop(executor.start(WORK, "run", 50)?);
    let mut follow = remote.follow("run", LINES, 0);
    let values = std::thread::spawn(move || {
        futures::executor::block_on(async {
            let mut values = Vec::new();
            while let Some(value) = follow.next().await {
                values.push(value.expect("it is read").1);
            }
            values
        })
    });
    let run = executor.attach(WORK, "run")?;
    executor.block_on(async {
        run.await?;
        while !values.is_finished() {
            dacapo::yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    assert_eq!(values.join().expect("no panic"), (0..50).collect::<Vec<_>>());
    executor.verify("run")
}

/// A value that cannot be written: the code is at fault, and the attempt.
#[test]
fn values_that_cannot_be_written() -> Result<()> {
    /// serde refuses a map of unknown length in this format.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(transparent)]
    struct Odd(#[serde(serialize_with = "refuse")] u8);

    fn refuse<S: serde::Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
    const ODD: Topic<Odd> = Topic::new("odd");
    let executor = Executor::builder()
        .workflow(WORK, async |ctx: &Ctx, n: u64| {
            if n == 0 {
                ctx.publish(ODD, Odd(1));
            }
            let body = async |attempt: Attempt| {
                attempt.publish(ODD, Odd(1));
                Ok::<_, Error>(1)
            };
            ctx.step_with("body", body).retry(Retry::never()).await
        })
        .in_memory();
    let error = executor.block_on(executor.start(WORK, "code", 0)?).unwrap_err();
    assert!(error.is_parked());
    assert!(error.to_string().contains(r#"publish 1 on "odd", a "#), "{error}");
    let error = executor.block_on(executor.start(WORK, "body", 1)?).unwrap_err();
    assert!(error.is_panic(), "{error}");
    assert!(error.to_string().contains("cannot be recorded"), "{error}");
    Ok(())
}
