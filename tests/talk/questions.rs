//! Runs that are asked, and answer.

use std::time::Duration;

use dacapo::sim::{self, Sim, VirtualClock};
use dacapo::store::MemoryStore;
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, Question, Result, Topic, Workflow, join,
};
use futures::StreamExt;
use futures::future::poll_immediate;

const DESK: Workflow<Sum, u64> = Workflow::new("desk");
const ADD: Question<u64, u64> = Question::new("add");
const LOG: Topic<u64> = Topic::new("log");

/// What was added so far, and how often.
type Sum = (u64, u64);

/// So many questions it takes, two in each pass, and adds them up. One of 0 is dropped.
const QUESTIONS: u64 = 6;

async fn desk(ctx: &Ctx, sim: &Sim, (mut sum, mut count): Sum, goes_on: bool) -> Result<u64> {
    for _ in 0..if goes_on { 2 } else { QUESTIONS } {
        let asked = ctx.receive(ADD).await;
        count += 1;
        let sim = sim.clone();
        let think = ctx.step_with("think", async move |attempt: Attempt| {
            sim.latency().await;
            sim.note(&attempt);
            Ok::<_, Error>(())
        });
        think.await?;
        if asked.question > 0 {
            sum += asked.question;
            ctx.publish(LOG, sum);
            asked.answer(ctx, sum);
        }
        // What was asked and answered by its end gets over the end of a pass, too.
    }
    if count < QUESTIONS {
        return ctx.again(DESK, (sum, count)).await;
    }
    Ok(sum)
}

fn build(sim: &Sim, goes_on: bool) -> Builder {
    let sim = sim.clone();
    Executor::builder()
        .workflow(DESK, async move |ctx: &Ctx, sum| desk(ctx, &sim, sum, goes_on).await)
}

/// Asks until it has an answer, whatever ends this process.
async fn ask(executor: &Executor, sim: &Sim, n: u64) -> Result<Result<u64>> {
    loop {
        sim.latency().await;
        match executor.ask("run", ADD, n).key(format!("key {n}")).await {
            Err(error) if error.is_not_found() => {}
            Err(error) if error.is_store() || error.is_closed() => return Err(error),
            answer => return Ok(answer),
        }
    }
}

/// With keys, each question is added once and has one answer: wherever the process crashes, whether the
/// run is in memory, in whichever pass it is, and after it has ended.
#[test]
fn a_question_is_answered_once() {
    for (resident_max, goes_on) in [(1_000, false), (0, false), (1_000, true), (0, true)] {
        let check = sim::check(DESK).start("run", (0, 0)).client(async |executor, sim| {
            let asked = (0..QUESTIONS).map(|n| ask(executor, sim, n));
            let answers = futures::future::join_all(asked).await;
            let again = ask(executor, sim, 3).await?;
            let answers: Vec<_> = answers.into_iter().collect::<Result<_>>()?;
            let dropped = answers[0].as_ref().unwrap_err().to_string();
            assert_eq!(dropped, "the question was dropped without an answer");
            let sums: Vec<_> = answers[1..].iter().map(|sum| *sum.as_ref().unwrap()).collect();
            assert_eq!(sums.iter().max(), Some(&15), "{sums:?}");
            assert_eq!(again?, sums[2], "the same question has the same answer");
            let mut log: Vec<_> = sums.clone();
            log.sort_unstable();
            let series = executor.follow("run", LOG, 0).map(|value| value.map(|(_, sum)| sum));
            let series: Vec<_> = series.collect().await;
            assert_eq!(series.into_iter().collect::<Result<Vec<_>>>()?, log);
            assert_eq!(executor.latest("run", LOG)?, Some(15));
            Ok(())
        });
        let build = move |sim: &Sim| build(sim, goes_on).resident_max(resident_max);
        let report = check.seeds(0..25).crash_loops().run(build, |sum| assert_eq!(*sum, 15));
        assert!(report.distinct_traces > 10, "{report:?}");
    }
}

/// Without a key, an asker that is gone loses its answer and nothing else.
#[test]
fn who_asks_and_goes_loses_the_answer() -> Result<()> {
    let sim = Sim::new(1, VirtualClock::default());
    let executor = build(&sim, false).clock(sim.clock().clone()).in_memory();
    drop(executor.start(DESK, "run", (0, 0))?);
    let run = executor.attach(DESK, "run")?;
    executor.block_on(async {
        let mut gone = executor.ask("run", ADD, 4);
        assert!(poll_immediate(&mut gone).await.is_none());
        drop(gone);
        assert_eq!(executor.ask("run", ADD, 4).await?, 8, "it was added");
        for n in 1..=4 {
            executor.ask("run", ADD, n).await?;
        }
        assert_eq!(run.await?, 18);
        Ok::<_, Error>(())
    })?;
    executor.verify("run")
}

/// A channel and a question of one name, with the same keys, have nothing to do with each other.
#[test]
fn messages_and_questions_of_one_name_are_apart() -> Result<()> {
    const BOTH: Workflow<(), (u64, u64)> = Workflow::new("both");
    const MESSAGE: Channel<u64> = Channel::new("add");
    let executor = Executor::builder()
        .workflow(BOTH, async |ctx: &Ctx, ()| {
            let message = async { ctx.receive(MESSAGE).await };
            let question = async {
                let asked = ctx.receive(ADD).await;
                let n = asked.question;
                asked.answer(ctx, n + 1);
                n
            };
            Ok::<_, Error>(join(message, question).await)
        })
        .in_memory();
    let run = executor.start(BOTH, "run", ())?;
    executor.block_on(async {
        assert_eq!(executor.ask("run", ADD, 7).key("k").await?, 8);
        executor.send("run", MESSAGE, 8).key("k").await?;
        assert_eq!(run.await?, (8, 7));
        Ok::<_, Error>(())
    })
}

/// No run, one that has ended, is parked, is out of memory, or of a workflow that this build lacks.
#[test]
fn who_is_asked() -> Result<()> {
    const HOLD: Workflow<u8, ()> = Workflow::new("hold");
    const TEXT: Question<String, u64> = Question::new("add");
    const WORD: Question<u64, String> = Question::new("add");
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let hold = async |ctx: &Ctx, n: u8| -> Result<()> {
        if n == 1 {
            panic!("no tea");
        }
        loop {
            let asked = ctx.receive(ADD).await;
            let n = asked.question;
            match n {
                0 => return Ok(()),
                1 => {
                    // It ends with a question in hand: that is no answer.
                    let holds = ctx.spawn(async move |ctx: &Ctx| {
                        ctx.sleep(Duration::from_secs(3_600)).await;
                        drop(asked);
                    });
                    holds.detach();
                    ctx.sleep(Duration::from_secs(60)).await;
                    return Ok(());
                }
                n => asked.answer(ctx, 2 * n),
            }
        }
    };
    let mended = async move |ctx: &Ctx, _: u8| hold(ctx, 0).await;
    let open = |builder: Builder| builder.clock(clock.clone()).open_with(store.shared());
    let executor = open(Executor::builder().workflow(HOLD, hold).resident_max(0))?;
    let ask = |id: &str, n, key: &str| executor.block_on(executor.ask(id, ADD, n).key(key));
    assert!(ask("nobody", 1, "k").unwrap_err().is_not_found());

    // Out of memory for long.
    drop(executor.start(HOLD, "run", 0)?);
    executor.block_on(clock.sleep(Duration::from_secs(60)));
    assert_eq!(ask("run", 4, "a")?, 8);
    assert_eq!(ask("run", 5, "a")?, 8, "the key says that it is the same");
    // An answer that is of another type, and two who ask the same at once.
    let word = executor.block_on(executor.ask("run", WORD, 4).key("a"));
    assert!(word.unwrap_err().to_string().contains(r#"the answer of run "run" to "add" does not"#));
    let both = join(
        executor.ask("run", ADD, 6).key("twice"),
        executor.remote().ask("run", ADD, 7).key("twice"),
    );
    let both = executor.block_on(both);
    assert_eq!(both.0?, both.1?);

    // Parked: the question is there when it goes on.
    drop(executor.start(HOLD, "parked", 1)?);
    executor.block_on(executor.attach(HOLD, "parked")?).unwrap_err();
    let mut waits = executor.ask("parked", ADD, 3).key("k");
    executor.block_on(async {
        assert!(poll_immediate(&mut waits).await.is_none());
        clock.sleep(Duration::from_secs(1)).await;
        assert!(poll_immediate(&mut waits).await.is_none(), "it waits");
    });
    drop(executor);
    assert!(futures::executor::block_on(waits).unwrap_err().is_closed());

    // Unregistered: likewise. The answer that was given before is known.
    let executor = open(Executor::builder())?;
    let mut waits = executor.ask("run", ADD, 9).key("b");
    executor.block_on(async {
        assert_eq!(executor.ask("run", ADD, 4).key("a").await.unwrap(), 8);
        assert!(poll_immediate(&mut waits).await.is_none());
        clock.sleep(Duration::from_secs(1)).await;
        assert!(poll_immediate(&mut waits).await.is_none(), "it waits");
    });
    drop((executor, waits));

    let executor = open(Executor::builder().workflow(HOLD, mended))?;
    executor.resume("parked")?;
    let ask = |id: &str, n, key: &str| executor.block_on(executor.ask(id, ADD, n).key(key));
    assert_eq!(ask("parked", 3, "k")?, 6, "asked once more, it is one question");
    assert_eq!(ask("run", 9, "b")?, 18);
    // A question of another type parks the run.
    let mut text = executor.ask("parked", TEXT, "tea".into());
    let parked = executor.attach(HOLD, "parked")?;
    let error = executor.block_on(async {
        assert!(poll_immediate(&mut text).await.is_none());
        parked.await
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains(r#"the question "add", record "#), "{error}");
    executor.block_on(async {
        // It is terminated, or deleted: those who wait are told.
        executor.terminate("parked").await?;
        assert!(text.await.unwrap_err().is_ended());
        Ok::<_, Error>(())
    })?;

    // The end without an answer; then the answers that there were are still known.
    let (one, other) = executor
        .block_on(join(executor.ask("run", ADD, 1).key("c"), executor.ask("run", ADD, 5).key("d")));
    assert!(one.unwrap_err().is_ended() && other.unwrap_err().is_ended());
    assert!(ask("run", 1, "c").unwrap_err().is_ended());
    assert!(ask("run", 1, "new").unwrap_err().is_ended());
    assert_eq!(ask("run", 4, "a")?, 8);
    executor.verify("run")?;
    drop(executor);
    let executor = open(Executor::builder())?;
    assert_eq!(executor.block_on(executor.ask("run", ADD, 9).key("b"))?, 18);
    Ok(())
}

/// The answer, and the end of the run, are in the commit of a question that is asked once more.
#[test]
fn asked_again_in_the_commit_of_the_answer() -> Result<()> {
    const ONE: Workflow<bool, ()> = Workflow::new("one");
    for (sleeps, turns) in [false, true].into_iter().flat_map(|s| (0..8).map(move |n| (s, n))) {
        let executor = Executor::builder()
            .workflow(ONE, async |ctx: &Ctx, sleeps| {
                let asked = ctx.receive(ADD).await;
                ctx.step("think", async || Ok::<_, Error>(())).await?;
                asked.answer(ctx, 7);
                if sleeps {
                    ctx.step("rest", async || Ok::<_, Error>(())).await?;
                }
                Ok::<_, Error>(())
            })
            .in_memory();
        drop(executor.start(ONE, "run", sleeps)?);
        executor.block_on(async {
            let first = executor.ask("run", ADD, 1).key("k");
            let second = async {
                for _ in 0..turns {
                    dacapo::yield_now().await;
                }
                executor.ask("run", ADD, 1).key("k").await
            };
            let (first, second) = join(first, second).await;
            assert_eq!((first?, second?), (7, 7), "{turns}");
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}

/// A later build that does not answer what was answered, or not the same question.
#[test]
fn a_later_build_must_answer_the_same() -> Result<()> {
    const TWO: Workflow<(), ()> = Workflow::new("two");
    type Build = fn() -> Builder;
    let swapped: Build = || {
        Executor::builder().workflow(TWO, async |ctx: &Ctx, ()| {
            let (a, b) = (ctx.receive(ADD).await, ctx.receive(ADD).await);
            b.answer(ctx, 2);
            std::mem::forget(a);
            ctx.step("rest", async || Ok::<_, Error>(())).await
        })
    };
    let original: Build = || {
        Executor::builder().workflow(TWO, async |ctx: &Ctx, ()| {
            let (a, b) = (ctx.receive(ADD).await, ctx.receive(ADD).await);
            a.answer(ctx, 1);
            b.answer(ctx, 2);
            ctx.step("rest", async || Ok::<_, Error>(())).await
        })
    };
    let store = MemoryStore::new();
    let executor = original().open_with(store.shared())?;
    drop(executor.start(TWO, "run", ())?);
    executor.block_on(async {
        let (a, b) = join(executor.ask("run", ADD, 1), executor.ask("run", ADD, 2)).await;
        assert_eq!((a?, b?), (1, 2));
        Ok::<_, Error>(())
    })?;
    drop(executor);
    let executor = swapped().open_with(store.snapshot())?;
    let error = executor.verify("run").unwrap_err().to_string();
    let told = "holds answer to the question of record 1, receive 1, but the code made none";
    assert!(error.contains(told), "{error}");
    Ok(())
}

/// What is told of a question without an answer depends on who had it when the run ended.
#[test]
fn a_question_that_goes_with_the_end_of_its_run() -> Result<()> {
    for (sum, expected) in [(1, "local"), (2, "a task, with its handle"), (3, "not received")] {
        let executor = Executor::builder()
            .workflow(DESK, async |ctx: &Ctx, (sum, _): Sum| {
                let mut other = None;
                match sum {
                    1 => {
                        let _asked = ctx.receive(ADD).await;
                        ctx.step("think", async || Ok::<_, Error>(())).await?;
                    }
                    2 => {
                        other = Some(ctx.spawn(async |ctx: &Ctx| {
                            let _asked = ctx.receive(ADD).await;
                            ctx.cancelled().await;
                        }));
                        ctx.sleep(Duration::from_millis(30)).await;
                    }
                    _ => ctx.sleep(Duration::from_millis(30)).await,
                }
                drop(other);
                Ok::<_, Error>(sum)
            })
            .in_memory();
        drop(executor.start(DESK, "run", (sum, 0))?);
        let told = executor.block_on(executor.ask("run", ADD, 7)).unwrap_err();
        let was_dropped = told.to_string() == "the question was dropped without an answer";
        assert_eq!((told.is_ended(), was_dropped), (sum == 3, sum != 3), "{expected}: {told}");
        executor.block_on(executor.attach(DESK, "run")?)?;
        executor.verify("run")?;
    }
    Ok(())
}
