//! Runs that talk: to each other, and with what is outside of them. The file is synced but where a row
//! says otherwise.

use std::thread;
use std::time::{Duration, Instant};

use dacapo::{
    Builder, Channel, Ctx, Executor, Question, Result, Topic, Workflow, join, join_all,
    try_join_all,
};

use super::Options;
use super::forgetful::Forgetful;
use super::report::{Report, micros, nanos_each, per_second};

const TAKE: Workflow<u32, u64> = Workflow::new("take");
const GIVE: Workflow<(String, u32), ()> = Workflow::new("give");
const ECHO: Workflow<(String, u32), ()> = Workflow::new("echo");
const PARENT: Workflow<(u32, bool), u64> = Workflow::new("parent");
const CHILD: Workflow<u64, u64> = Workflow::new("child");
const PUBLISH: Workflow<u32, ()> = Workflow::new("publish");
const ANSWER: Workflow<u32, ()> = Workflow::new("answer");
const WAIT: Workflow<(), ()> = Workflow::new("wait");
const PRICE: Question<u64, u64> = Question::new("price");
const BALL: Channel<u64> = Channel::new("ball");
const STATUS: Topic<u64> = Topic::new("status");

/// So many pairs, and messages for each: so many that the starts and ends of the runs, which are measured with
/// them, do not count for much.
const PAIRS: u32 = 10_000;
const EACH: u32 = 50;

async fn take(ctx: &Ctx, messages: u32) -> Result<u64> {
    let mut sum = 0;
    for _ in 0..messages {
        sum += ctx.receive(BALL).await;
    }
    Ok(sum)
}

/// Sends, and does not wait for an answer.
async fn give(ctx: &Ctx, (to, messages): (String, u32)) -> Result<()> {
    for n in 0..messages {
        ctx.send(&to, BALL, n.into()).await?;
    }
    Ok(())
}

/// Sends back what it receives. The one whose name sorts first serves.
async fn echo(ctx: &Ctx, (to, messages): (String, u32)) -> Result<()> {
    if *ctx.id() < *to {
        ctx.send(&to, BALL, 0).await?;
    }
    for _ in 0..messages {
        let ball = ctx.receive(BALL).await;
        ctx.send(&to, BALL, ball + 1).await?;
    }
    Ok(())
}

async fn parent(ctx: &Ctx, (children, at_once): (u32, bool)) -> Result<u64> {
    let child = |n: u32| ctx.child(CHILD, n.into());
    if at_once {
        return Ok(try_join_all((0..children).map(child)).await?.into_iter().sum());
    }
    let mut sum = 0;
    for n in 0..children {
        sum += child(n).await?;
    }
    Ok(sum)
}

async fn answer(ctx: &Ctx, questions: u32) -> Result<()> {
    for _ in 0..questions {
        let asked = ctx.receive(PRICE).await;
        let twice = 2 * asked.question;
        asked.answer(ctx, twice);
    }
    Ok(())
}

async fn publish(ctx: &Ctx, values: u32) -> Result<()> {
    for n in 0..values {
        ctx.publish(STATUS, n.into());
        if n % 100 == 99 {
            ctx.sleep(Duration::ZERO).await;
        }
    }
    Ok(())
}

fn build() -> Builder {
    Executor::builder()
        .workflow(TAKE, take)
        .workflow(GIVE, give)
        .workflow(ECHO, echo)
        .workflow(PARENT, parent)
        .workflow(CHILD, async |_: &Ctx, n: u64| Result::<u64>::Ok(n))
        .workflow(ANSWER, answer)
        .workflow(PUBLISH, publish)
        .workflow(WAIT, async |ctx: &Ctx, ()| {
            ctx.receive(BALL).await;
            Result::<()>::Ok(())
        })
}

pub(crate) fn measure(options: &Options, report: &Report) {
    let open = || build().open(options.file("talk.redb")).expect("it is created");
    let count = options.size(500, 2_000);
    report.row("message_outside", "us", || one_by_one(&open(), count));
    report.row("message_between_runs", "us", || back_and_forth(&open(), count));
    report.row("messages_outside_10000", "messages/s", || from_outside(&open()));
    report.row("messages_between_10000", "messages/s", || between_pairs(&open()));
    report.row("question", "us", || questions(&open(), count));
    report.row("child", "us", || children(&open(), count, false).1);
    report.row("children_10000", "children/s", || children(&open(), 10_000, true).0);
    report.row("remote_calls_of_4_threads", "calls/s", || {
        remote_calls(options.size(50_000, 200_000))
    });
    report.row("publish", "ns/value", || {
        let executor = build().open_with(Forgetful::default()).expect("nothing is read");
        let values = options.size(200_000, 1_000_000);
        let start = Instant::now();
        let run = executor.start(PUBLISH, "run", values).expect("new");
        executor.block_on(run).expect("it ends");
        nanos_each(start.elapsed(), values.into())
    });
    report.row("cancel_10000", "runs/s", || cancel_all(&open(), 10_000));
}

/// Each is recorded, and so delivered, before the next is sent.
fn one_by_one(executor: &Executor, messages: u32) -> f64 {
    let run = executor.start(TAKE, "run", messages).expect("new");
    executor.block_on(run.accepted()).expect("it is committed");
    let start = Instant::now();
    executor
        .block_on(async {
            for n in 0..messages {
                executor.send("run", BALL, n.into()).await?;
            }
            Result::<()>::Ok(())
        })
        .expect("they arrive");
    micros(start.elapsed()) / f64::from(messages)
}

/// The time from one run's send to the other's.
fn back_and_forth(executor: &Executor, messages: u32) -> f64 {
    let start = |id: &str, to: &str| executor.start(ECHO, id, (to.into(), messages)).expect("new");
    let (left, right) = (start("a", "b"), start("b", "a"));
    let begun = Instant::now();
    // The last ball finds that the other has ended.
    let _ = executor.block_on(async { join(left, right).await });
    micros(begun.elapsed()) / f64::from(2 * messages)
}

/// From each question to its answer, which takes two commits.
fn questions(executor: &Executor, questions: u32) -> f64 {
    let run = executor.start(ANSWER, "run", questions).expect("new");
    executor.block_on(run.accepted()).expect("it is committed");
    let start = Instant::now();
    executor
        .block_on(async {
            for n in 0..u64::from(questions) {
                assert_eq!(executor.ask("run", PRICE, n).await?, 2 * n);
            }
            Result::<()>::Ok(())
        })
        .expect("they are answered");
    micros(start.elapsed()) / f64::from(questions)
}

fn from_outside(executor: &Executor) -> f64 {
    let ids: Vec<_> = (0..PAIRS).map(|n| format!("run-{n}")).collect();
    let runs = ids.iter().map(|id| executor.start(TAKE, id, EACH).expect("new"));
    let runs: Vec<_> = runs.collect();
    executor.block_on(try_join_all(runs.iter().map(|run| run.accepted()))).expect("committed");
    let start = Instant::now();
    for n in 0..EACH {
        let sent = ids.iter().map(|id| executor.send(id, BALL, n.into()));
        executor.block_on(try_join_all(sent)).expect("they arrive");
    }
    executor.block_on(try_join_all(runs)).expect("they end");
    per_second(start.elapsed(), u64::from(PAIRS) * u64::from(EACH))
}

fn between_pairs(executor: &Executor) -> f64 {
    let takers = (0..PAIRS).map(|n| executor.start(TAKE, &format!("to-{n}"), EACH).expect("new"));
    let takers: Vec<_> = takers.collect();
    executor.block_on(try_join_all(takers.iter().map(|run| run.accepted()))).expect("committed");
    let start = Instant::now();
    let give = |n| executor.start(GIVE, &format!("from-{n}"), (format!("to-{n}"), EACH));
    let givers: Vec<_> = (0..PAIRS).map(give).collect::<Result<_>>().expect("new");
    executor.block_on(try_join_all(givers)).expect("they end");
    executor.block_on(try_join_all(takers)).expect("they end");
    per_second(start.elapsed(), u64::from(PAIRS) * u64::from(EACH))
}

/// In a second, and microseconds of each.
fn children(executor: &Executor, children: u32, at_once: bool) -> (f64, f64) {
    let start = Instant::now();
    let run = executor.start(PARENT, "parent", (children, at_once)).expect("new");
    executor.block_on(run).expect("it ends");
    let took = start.elapsed();
    (per_second(took, children.into()), micros(took) / f64::from(children))
}

fn remote_calls(calls: u32) -> f64 {
    const THREADS: u32 = 4;
    let executor = build().in_memory();
    let start = Instant::now();
    let threads = (0..THREADS).map(|_| {
        let remote = executor.remote();
        thread::spawn(move || {
            for _ in 0..calls / THREADS {
                futures::executor::block_on(remote.with(|_| ())).expect("it is there");
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    let remote = executor.remote();
    let ended = thread::spawn(move || {
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        futures::executor::block_on(remote.shutdown(Duration::ZERO)).expect("it stops");
    });
    executor.block_on(executor.remote().failed());
    ended.join().expect("it does not panic");
    per_second(start.elapsed(), calls.into())
}

fn cancel_all(executor: &Executor, runs: u32) -> f64 {
    let ids: Vec<_> = (0..runs).map(|n| format!("run-{n}")).collect();
    let all = ids.iter().map(|id| executor.start(WAIT, id, ()).expect("new"));
    let all: Vec<_> = all.collect();
    executor.block_on(try_join_all(all.iter().map(|run| run.accepted()))).expect("committed");
    let start = Instant::now();
    let asked = ids.iter().map(|id| executor.cancel(id));
    executor.block_on(try_join_all(asked)).expect("they are asked");
    executor.block_on(join_all(all));
    per_second(start.elapsed(), runs.into())
}
