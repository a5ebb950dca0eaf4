//! Where the operations of a run stand in the source.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use dacapo::store::{Filter, MemoryStore};
use dacapo::{
    Attempt, Channel, Ctx, Error, Executor, Question, Result, Retry, Start, Table, Topic, Tx,
    Workflow, join,
};
use futures::{FutureExt, StreamExt};

const ALL: Workflow<(), ()> = Workflow::new("all");
const ECHO: Workflow<u8, u8> = Workflow::new("echo");
const NEVER: Channel<u8> = Channel::new("never");
const ASKED: Question<u8, u8> = Question::new("asked");
const NEWS: Topic<u8> = Topic::new("news");
const OTHER_NEWS: Topic<u8> = Topic::new("other news");
const NOTES: Table<u8, u8> = Table::new("notes");
const SOON: Duration = Duration::from_millis(1);

thread_local! {
    /// The lines where the code of a run made its operations, with their numbers.
    static LINES: RefCell<Vec<(&'static str, u32)>> = const { RefCell::new(Vec::new()) };
}

/// Makes an operation, and notes the line.
macro_rules! at {
    ($number:literal, $operation:expr) => {{
        LINES.with_borrow_mut(|lines| lines.push(($number, line!())));
        $operation
    }};
}

async fn done() -> Result<()> {
    Ok(())
}

async fn given(n: u8) -> Result<u8> {
    Ok(n)
}

async fn told(_: Attempt) -> Result<()> {
    Ok(())
}

fn blocks(_: &Attempt) -> Result<()> {
    Ok(())
}

fn writes(tx: &mut Tx<'_>) -> Result<()> {
    tx.put(NOTES, &1, &1);
    Ok(())
}

async fn echo(_: &Ctx, n: u8) -> Result<u8> {
    Ok(n)
}

/// Every kind of operation, one after the other.
async fn all(ctx: &Ctx, (): ()) -> Result<()> {
    let patient = Retry::exponential(SOON).max_attempts(3);
    at!("1", ctx.step("step", done)).await?;
    at!("2", ctx.step_with("step with", told)).await?;
    at!("3", ctx.call("call", given, 7)).await?;
    at!("4", ctx.step_blocking("blocking", blocks)).await?;
    at!("5", ctx.transaction("transaction", writes)).await?;
    at!("6", ctx.sleep(SOON)).await;
    at!("7", ctx.sleep_until(SystemTime::UNIX_EPOCH)).await;
    let never = at!("8", ctx.receive(NEVER));
    let late = at!("9", ctx.timeout(SOON, never)).await;
    assert!(late.is_err());
    let _unanswered = at!("10", ctx.receive(ASKED)).now_or_never();
    at!("11", ctx.send("echo-9", NEVER, 1)).await.unwrap_err();
    at!("12", ctx.child(ECHO, 1)).await?;
    at!("13", ctx.child_with(ECHO, 1, Start::new())).await?;
    let children = at!("14", ctx.children(ECHO, [1], 1));
    assert_eq!(children.count().await, 1);
    at!("15", ctx.publish(NEWS, 7));
    let optioned = at!("16", ctx.step("optioned", done));
    // What is said of it behind that is no other place.
    optioned.label("a").of(&1).retry(patient).timeout(Duration::from_secs(9)).await?;
    helped(ctx).await?;
    passed_on(ctx).await?; // 18
    LINES.with_borrow_mut(|lines| lines.push(("18", line!() - 1)));
    let task = ctx.spawn(async |ctx| {
        at!("1.1", ctx.step("in a task", done)).await?;
        ctx.spawn(async |ctx| at!("2.1", ctx.step("deeper", done)).await).await
    });
    task.await
}

async fn helped(ctx: &Ctx) -> Result<()> {
    at!("17", ctx.step("in a function", done)).await
}

/// Its caller's line counts.
#[track_caller]
fn passed_on(ctx: &Ctx) -> dacapo::Step<()> {
    ctx.step("passed on", done)
}

#[test]
fn every_operation_has_its_line() -> Result<()> {
    let executor = Executor::builder().workflow(ALL, all).workflow(ECHO, echo).in_memory();
    executor.block_on(executor.start(ALL, "all-1", ())?)?;
    let live = LINES.take();
    assert_eq!(live.len(), 20);
    let sources = executor.sources("all-1")?;
    assert_eq!(sources.parked(), None);
    assert_eq!(LINES.take(), live, "the code was run once more");
    for (number, line) in live {
        let source = sources.of(number.parse().expect("it is one"));
        let source = source.unwrap_or_else(|| panic!("{number} has a line"));
        assert_eq!((source.line(), source.file()), (line, file!()), "{number}");
    }
    for none in ["0", "19", "1.2", "3.1"] {
        assert_eq!(sources.of(none.parse().expect("it is one")), None, "{none}");
    }
    let missing = executor.sources("all-2").unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    Ok(())
}

const CASE: Workflow<u8, u8> = Workflow::new("case");

/// Codes that differ at one place, whose line they note.
async fn case(ctx: &Ctx, build: u8) -> Result<u8> {
    ctx.step("first", done).await?;
    match build {
        0 => at!("the old code", ctx.step("second", done)).await?,
        1 => at!("another name", ctx.step("another", done)).await?,
        2 => ctx.step("second", done).label(at!("", "a label")).await?,
        3 => drop(at!("waits elsewhere", ctx.receive(NEVER)).await),
        4 => at!("a mark", ctx.publish(NEWS, 7)),
        5 => drop(at!("the end of a pass", ctx.again::<_, u8>(CASE, 9)).await?),
        6 => {}
        7 => at!("another mark", ctx.publish(OTHER_NEWS, 7)),
        8 => return Ok(build),
        _ => {
            // What differs is not what it awaits first.
            let name = if build == 9 { "beside" } else { "another beside" };
            let never = ctx.receive(NEVER);
            let beside = at!("beside", ctx.step(name, done));
            drop(join(never, beside).await);
        }
    }
    at!("awaited at the end", ctx.sleep(Duration::from_secs(86_400))).await;
    Ok(build)
}

/// A run of a build that takes this way, as far as it comes.
fn begun(build: u8) -> Result<MemoryStore> {
    let store = MemoryStore::new();
    let code = async move |ctx: &Ctx, _: u8| case(ctx, build).await;
    let executor = Executor::builder().workflow(CASE, code).open_with(store.shared())?;
    started(&executor, CASE, "case-1", 0)?;
    Ok(store)
}

/// Starts a run, which goes on for a few turns.
fn started<I: dacapo::Value, O: dacapo::Value>(
    executor: &Executor,
    workflow: Workflow<I, O>,
    id: &str,
    input: I,
) -> Result<()> {
    executor.block_on(async {
        executor.start(workflow, id, input)?.accepted().await?;
        for _ in 0..9 {
            dacapo::yield_now().await;
        }
        Ok(())
    })
}

/// What a build that takes this way says of a run of another one, and the lines that its code noted.
fn parted(store: &MemoryStore, build: u8) -> Result<(String, Option<u32>, Vec<u32>)> {
    let code = async move |ctx: &Ctx, _: u8| case(ctx, build).await;
    let executor = Executor::builder().workflow(CASE, code).look_at(store.shared())?;
    LINES.take();
    let rehearsed = executor.verify_all(&Filter::new())?;
    let lines = LINES.take().into_iter().map(|(_, line)| line).collect();
    let parked = rehearsed.parked.first();
    let source = parked.and_then(|run| run.source);
    if let Some(run) = parked {
        let divergence = run.divergence.as_ref().expect("both sides are known");
        assert_eq!(divergence.record, 2);
        let at =
            source.map(|source| format!(", at {source}; restore")).unwrap_or("; restore".into());
        let both = format!("holds {}, but the code {}{at}", divergence.history, divergence.code);
        assert!(run.message.contains(&both), "{}", run.message);
        assert!(rehearsed.to_string().contains(&both), "{rehearsed}");
        let same = executor.sources("case-1")?;
        assert_eq!(same.parked(), Some(run));
        let verified = executor.verify("case-1").unwrap_err().to_string();
        assert!(verified.contains(&both), "{verified}");
    }
    Ok((rehearsed.to_string(), source.map(|source| source.line()), lines))
}

#[test]
fn a_divergence_tells_the_line_of_the_code() -> Result<()> {
    let store = begun(0)?;
    let (told, source, _) = parted(&store, 0)?;
    assert_eq!((&*told, source), ("1 run replayed, 0 would be parked", None));
    for build in 1..=6 {
        let (told, source, lines) = parted(&store, build)?;
        // Where it makes no operation of this number, what it awaits instead.
        let line = if build == 4 { lines.last() } else { lines.first() };
        assert_eq!(source, line.copied(), "build {build}: {told}");
    }
    let (told, source, lines) = parted(&begun(4)?, 7)?;
    assert!(told.contains("but the code made the "), "{told}");
    assert_eq!(source, Some(lines[0]), "{told}");
    let (told, source, lines) = parted(&begun(9)?, 10)?;
    assert_eq!(source, Some(lines[0]), "{told}");
    // It ends, and awaits nothing.
    let (told, source, lines) = parted(&store, 8)?;
    assert!(told.contains("but the code ended before it; restore"), "{told}");
    assert_eq!((source, lines.len()), (None, 0));
    Ok(())
}

const PARENT: Workflow<(), ()> = Workflow::new("parent");

/// That a child was let go stands where that was done.
#[test]
fn a_child_that_is_let_go_tells_the_line_of_that() -> Result<()> {
    let store = MemoryStore::new();
    let parent = |lets_go: bool| {
        Executor::builder().workflow(ECHO, echo).workflow(PARENT, async move |ctx: &Ctx, ()| {
            let mut child = ctx.child(ECHO, 1).id("echo-1");
            child.started().await?;
            if lets_go {
                at!("1", child.detach());
            } else {
                drop(child);
            }
            ctx.sleep(Duration::from_secs(86_400)).await;
            Ok::<_, Error>(())
        })
    };
    let executor = parent(false).open_with(store.shared())?;
    started(&executor, PARENT, "parent-1", ())?;
    drop(executor);
    let executor = parent(true).look_at(store.shared())?;
    LINES.take();
    let parked = executor.sources("parent-1")?.parked().cloned().expect("it is not repeated");
    assert_eq!(parked.source.map(|source| source.line()), Some(LINES.take()[0].1), "{parked:?}");
    Ok(())
}

/// A run that is parked while it runs has no line: nothing of that is kept. To look at it tells.
#[test]
fn a_live_run_keeps_no_line() -> Result<()> {
    let store = MemoryStore::new();
    let build = |step: &'static str| {
        Executor::builder().workflow(CASE, async move |ctx: &Ctx, n| {
            ctx.step(step, done).await?;
            ctx.sleep(Duration::from_secs(3)).await;
            Ok::<_, Error>(n)
        })
    };
    let executor = build("pay").open_with(store.shared())?;
    started(&executor, CASE, "case-1", 0)?;
    drop(executor);
    let executor = build("charge").open_with(store.shared())?;
    let parked = executor.parked()?.remove(0);
    assert_eq!(parked.source, None);
    assert!(!parked.message.contains(file!()), "{}", parked.message);
    let sources = executor.sources("case-1")?;
    let looked = sources.parked().expect("this build does not repeat it");
    assert_eq!(looked.divergence, parked.divergence);
    assert_eq!(looked.source, sources.of("1".parse().expect("it is one")));
    assert!(looked.source.is_some());
    Ok(())
}

/// What cannot be read tells who wanted to.
#[test]
fn an_outcome_that_cannot_be_read_tells_the_line() -> Result<()> {
    let store = MemoryStore::new();
    let old = Executor::builder().workflow(CASE, async |ctx: &Ctx, n| {
        ctx.step("count", async || Ok::<_, Error>("seven".to_owned())).await?;
        Ok::<_, Error>(n)
    });
    let executor = old.open_with(store.shared())?;
    executor.block_on(executor.start(CASE, "case-1", 0)?)?;
    drop(executor);
    let new = Executor::builder()
        .workflow(CASE, async |ctx: &Ctx, _| at!("1", ctx.call("count", given, 7)).await);
    let executor = new.look_at(store)?;
    LINES.take();
    let parked = executor.sources("case-1")?.parked().cloned().expect("it is a text");
    let line = LINES.take()[0].1;
    assert_eq!(parked.source.map(|source| source.line()), Some(line));
    assert!(parked.message.contains(&format!(", at {}:{line}; give", file!())), "{parked:?}");
    Ok(())
}
