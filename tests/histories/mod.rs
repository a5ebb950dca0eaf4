//! A file of every version of the rules there was, replayed by the present build (C10 of
//! docs/proof.md).
//!
//! `DACAPO_WRITE_HISTORIES=1 cargo test histories` writes the file of the present version anew. That
//! is for a new version only: a file that was released stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{
    Attempt, Builder, Channel, Ctx, Cut, Error, Executor, Question, Result, Retry, Timestamp,
    Topic, Workflow,
};
use dacapo::{join, race, try_join_all};
use futures::StreamExt;
use futures::stream::FuturesUnordered;

const W: Workflow<u32, Vec<u32>> = Workflow::new("golden");
const TALKS: Workflow<u32, Vec<u32>> = Workflow::new("talks");
const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const WORD: Channel<u32> = Channel::new("word");
const PRICE: Question<u32, u32> = Question::new("price");
const STATUS: Topic<u32> = Topic::new("status");
const HOUR: Duration = Duration::from_secs(3600);
/// When the recorded file was written: in the spring of 2033.
const BEGIN: Timestamp = Timestamp::from_nanos(2_000_000_000_000_000_000);

/// What a run awaits by itself, and the shapes that depend on their order.
async fn golden(ctx: &Ctx, clock: &VirtualClock, n: u32) -> Result<Vec<u32>> {
    let step = |name, n: u32, millis| {
        let clock = clock.clone();
        ctx.step(name, async move || {
            clock.sleep(Duration::from_millis(millis)).await;
            Ok::<_, Error>(n)
        })
    };
    let (a, b) = join(step("left", n, 9).label("slow"), step("right", n + 1, 3)).await;
    let refused = ctx.step("refuse", async || Err::<u32, _>(Error::new("no").permanent())).await;
    let first = race(step("hare", 7, 2), step("tortoise", 8, 5)).await?;
    let once = step("once", 11, 1).at_most_once().retry(Retry::exponential(HOUR)).await?;
    let task = ctx.spawn(async move |ctx: &Ctx| {
        ctx.sleep(Duration::from_millis(4)).await;
        ctx.step("spawned", async || Ok::<_, Error>(12)).await
    });
    let mut found = vec![a?, b?, first, once, u32::from(refused.is_err()), ctx.random() as u32];
    found.extend(try_join_all((0..3).map(|n| step("all", n, 3 - u64::from(n)).of(&n))).await?);
    let mut loops: FuturesUnordered<_> =
        (0..3).map(|n| step("loop", n, u64::from(7 - n))).collect();
    while let Some(n) = loops.next().await {
        found.push(step("after", n? + 20, 1).await?);
    }
    found.push(task.await?);
    let late = ctx.timeout(HOUR, ctx.sleep(2 * HOUR)).await;
    found.push(u32::from(late.is_err()));
    found.push(step("last", 99, 1).await?);
    Ok(found)
}

/// What comes from elsewhere and goes there, another pass, attempts that fail; and a failure that is taken
/// back when the run is taken up again.
async fn talks(ctx: &Ctx, n: u32) -> Result<Vec<u32>> {
    if ctx.pass() == 1 {
        ctx.publish(STATUS, n);
        return ctx.again(TALKS, n + 1).await;
    }
    let patient = Retry::exponential(Duration::from_secs(2));
    let fails_twice = async |attempt: Attempt| match attempt.number() {
        number @ 3.. => Ok(number),
        _ => Err(Error::new("not yet")),
    };
    let attempts = ctx.step_with("attempts", fails_twice).retry(patient).await?;
    ctx.send(ctx.id(), WORD, n).await?;
    let words = [ctx.receive(WORD).await, ctx.receive(WORD).await];
    let asked = ctx.receive(PRICE).await;
    let price = asked.question + 1;
    asked.answer(ctx, price);
    let child = ctx.child(ECHO, n + 3).await?;
    ctx.child(ECHO, n).id(format!("{}-let-go", ctx.id())).detach();
    let body = async |attempt: Attempt| {
        attempt.publish(STATUS, 77);
        Ok::<_, Error>(6)
    };
    let published = ctx.step_with("publish", body).await?;
    let fails_first = ctx.step("fails first", async || {
        // The second one is made when the run is taken up again.
        if FAILED.swap(true, Ordering::SeqCst) { Ok(8) } else { Err(Error::new("no")) }
    });
    let last = fails_first.await?;
    Ok(vec![attempts, words[0], words[1], price, child, published, last])
}

static FAILED: AtomicBool = AtomicBool::new(false);

fn build(clock: &VirtualClock) -> Builder {
    let bodies = clock.clone();
    let golden = async move |ctx: &Ctx, n| golden(ctx, &bodies, n).await;
    let echo = async |_: &Ctx, n: u32| Ok::<_, Error>(n);
    let builder = Executor::builder().seed(1).clock(clock.clone()).workflow(W, golden);
    builder.workflow(TALKS, talks).workflow(ECHO, echo)
}

fn recorded(version: u32) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories");
    folder.join(format!("semantics-{version}.redb"))
}

/// A finished run, and one that waits for its time limit.
fn write(path: &Path) {
    let clock = VirtualClock::new(BEGIN);
    let executor = build(&clock).open(path).expect("it is created");
    let finished = executor.start(W, "finished", 1).expect("new");
    executor.block_on(finished).expect("it ends");
    let talks = executor.start(TALKS, "talks", 4).expect("new");
    let talked = executor.block_on(async {
        executor.send("talks", WORD, 9).key("nine").await?;
        let asks = executor.ask("talks", PRICE, 41).key("forty-one");
        let (answer, end) = join(asks, talks).await;
        assert_eq!(answer?, 42);
        end
    });
    talked.expect_err("its last step fails first");
    executor.retry("talks").expect("it goes on");
    let talks = executor.attach(TALKS, "talks").expect("it is there");
    executor.block_on(talks).expect("it ends");
    executor.fork("finished", Cut::at(3), "forked").expect("it is cut");
    executor.resume("forked").expect("it goes on");
    executor.block_on(executor.attach(W, "forked").expect("it is there")).expect("it ends");
    drop(executor.start(W, "waiting", 2).expect("new"));
    // Half an hour later nothing is left but its limit.
    executor.block_on(clock.sleep(HOUR / 2));
}

#[test]
fn the_rules_of_version_1_are_kept() {
    let path = recorded(1);
    if std::env::var_os("DACAPO_WRITE_HISTORIES").is_some() {
        let _ = fs::remove_file(&path);
        write(&path);
    }
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("semantics-1.redb");
    fs::copy(&path, &copy).expect("the recorded file is there");
    let clock = VirtualClock::new(BEGIN);
    let executor = build(&clock).open(&copy).expect("the format is read");
    executor.verify("finished").expect("it replays");
    executor.verify("waiting").expect("it replays");
    executor.verify("talks").expect("it replays");
    executor.verify("forked").expect("it replays");
    let talked = executor.block_on(executor.attach(TALKS, "talks").expect("it is there"));
    assert_eq!(talked.expect("it ended"), [3, 9, 5, 42, 8, 6, 8]);
    let get = |id| executor.block_on(executor.attach(W, id).expect("it is there"));
    let (finished, waiting) = (get("finished").expect("ended"), get("waiting").expect("it ends"));
    // Written down once: what the build of that version returned.
    let tail = [0, 1, 2, 22, 21, 20, 12, 1, 99];
    assert_eq!(finished[..5], [1, 2, 7, 11, 1]);
    assert_eq!(waiting[..5], [2, 3, 7, 11, 1]);
    assert_eq!((&finished[6..], &waiting[6..]), (&tail[..], &tail[..]));
    assert!(executor.parked().expect("readable").is_empty());
    executor.verify("waiting").expect("it replays to its end");
}
