//! Whether a value can be recorded is decided once: a replay does not decide it anew, though the limit
//! is another one by then, or the shape has grown.

use dacapo::store::MemoryStore;
use dacapo::{Builder, Channel, Ctx, Error, Executor, Question, Result, Topic, Workflow};
use serde::{Deserialize, Serialize};

/// It takes some bytes more once its shape knows that the text may be missing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Note {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    from: u8,
}

fn note(length: usize) -> Note {
    Note { text: "x".repeat(length), from: 7 }
}

/// So much as a note with a text of 40 characters takes at first, without the number of its shape.
const NOTE_BYTES: usize = 1 + 40 + 1;

const DO: Workflow<u32, String> = Workflow::new("do");
const READ: Workflow<Note, usize> = Workflow::new("read");
const NOTES: Channel<Note> = Channel::new("notes");
const GO: Channel<()> = Channel::new("go");
const ASK: Question<u8, Note> = Question::new("ask");
const NEWS: Topic<Note> = Topic::new("news");

fn told(result: Result<()>) -> String {
    result.map_or_else(|why| why.to_string(), |()| "done".to_owned())
}

/// Hands over a note, says what came of it, and waits before it ends.
async fn hand_over(ctx: &Ctx, what: u32) -> Result<String> {
    let came = match what {
        0 => told(ctx.send("reader", NOTES, note(40)).await),
        1 => told(ctx.child(READ, note(40)).await.map(drop)),
        2 => {
            ctx.publish(NEWS, note(40));
            told(Ok(()))
        }
        3 => {
            ctx.receive(ASK).await.answer(ctx, note(40));
            told(Ok(()))
        }
        4 => {
            ctx.child(READ, note(40)).id("alone").detach();
            told(Ok(()))
        }
        _ => {
            let mut child = ctx.child(READ, note(40));
            told(child.started().await)
        }
    };
    ctx.step("told", async || Ok::<_, Error>(())).label(&came).await?;
    ctx.receive(GO).await;
    Ok(came)
}

fn build(value_max: usize) -> Builder {
    Executor::builder().value_max(value_max).workflow(DO, hand_over).workflow(
        READ,
        async |ctx: &Ctx, note: Note| {
            let more = match note.from {
                0 => ctx.receive(NOTES).await.text.len(),
                _ => 0,
            };
            Ok::<_, Error>(note.text.len() + more)
        },
    )
}

/// What a run has done when it waits, and is stored.
fn waits(what: u32, value_max: usize) -> Result<MemoryStore> {
    let store = MemoryStore::new();
    let executor = build(value_max).open_with(store.shared())?;
    drop(executor.start(READ, "reader", Note { text: "a".into(), from: 0 })?);
    let run = executor.start(DO, "run", what)?;
    executor.block_on(async {
        run.accepted().await?;
        if what == 3 {
            executor.ask("run", ASK, 1).await?;
        }
        for _ in 0..50 {
            dacapo::yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    assert!(executor.parked()?.is_empty(), "{:?}", executor.parked()?);
    Ok(store.snapshot())
}

/// Its end after a replay under another limit.
fn end(store: MemoryStore, value_max: usize) -> Result<String> {
    let executor = build(value_max).open_with(store)?;
    executor.verify("run")?;
    let run = executor.attach(DO, "run")?;
    executor.block_on(executor.send("run", GO, ()))?;
    let end = executor.block_on(run)?;
    executor.verify("run")?;
    Ok(end)
}

#[test]
fn what_was_handed_over_stays_so_under_a_lower_limit() -> Result<()> {
    for what in 0..6 {
        assert_eq!(end(waits(what, 100)?, 20)?, "done", "{what}");
    }
    Ok(())
}

#[test]
fn what_was_refused_stays_so_under_a_higher_limit() -> Result<()> {
    for what in [0, 1, 4, 5] {
        let end = end(waits(what, 30)?, 1_000)?;
        match what {
            4 => assert_eq!(end, "done"),
            _ => assert!(end.contains("42 bytes, and at most 30 can be recorded"), "{end}"),
        }
    }
    Ok(())
}

/// What parks a run, and is not in its history, is judged again when it is resumed.
#[test]
fn what_was_refused_and_not_recorded_is_tried_again() -> Result<()> {
    for what in [2, 3] {
        let store = MemoryStore::new();
        let executor = build(30).open_with(store.shared())?;
        let run = executor.start(DO, "run", what)?;
        let asking = executor.ask("run", ASK, 1);
        let error =
            executor.block_on(dacapo::race(run, async { asking.await.map(|_| String::new()) }));
        let error = match error {
            Err(error) => error,
            Ok(end) => panic!("it is parked: {end:?}"),
        };
        assert!(error.to_string().contains("42 bytes, and at most 30 can be recorded"), "{error}");
        drop(executor);
        let executor = build(100).open_with(store)?;
        executor.resume("run")?;
        executor.block_on(executor.send("run", GO, ()))?;
        assert_eq!(executor.block_on(executor.attach(DO, "run")?)?, "done");
        executor.verify("run")?;
    }
    Ok(())
}

/// The limit is the same, and what is at it takes more bytes in the replay.
#[test]
fn a_shape_that_has_grown_decides_nothing_anew() -> Result<()> {
    for what in 0..6 {
        let store = waits(what, NOTE_BYTES)?;
        let executor = build(NOTE_BYTES).open_with(store.shared())?;
        for length in [1, 0] {
            let run = executor.start(READ, &format!("with {length}"), note(length))?;
            assert_eq!(executor.block_on(run)?, length);
        }
        drop(executor);
        let executor = build(NOTE_BYTES).open_with(store.shared())?;
        let refused = executor.start(READ, "too large", note(40)).expect_err("it has grown");
        assert!(refused.to_string().contains("45 bytes"), "{refused}");
        drop(executor);
        assert_eq!(end(store, NOTE_BYTES)?, "done", "{what}");
    }
    Ok(())
}

const OUTPUT: Workflow<u32, Note> = Workflow::new("output");
const PASS: Workflow<Note, usize> = Workflow::new("pass");

fn build_ends(value_max: usize) -> Builder {
    Executor::builder()
        .value_max(value_max)
        .workflow(OUTPUT, async |_: &Ctx, length: u32| Ok::<_, Error>(note(length as usize)))
        .workflow(PASS, async |ctx: &Ctx, before: Note| match before.text.len() {
            0 => ctx.again(PASS, note(40)).await,
            length => Ok(length),
        })
}

#[test]
fn an_end_is_what_it_was() -> Result<()> {
    for (first, later) in [(30, 100), (100, 30)] {
        let store = MemoryStore::new();
        let executor = build_ends(first).open_with(store.shared())?;
        let output = executor.block_on(executor.start(OUTPUT, "output", 40)?);
        let pass = executor.block_on(executor.start(PASS, "pass", note(0))?);
        if first == 30 {
            let what =
                "the output, a dacapo::values::edge::Note, cannot be recorded: it takes 42 bytes";
            let error = output.expect_err("it is too large");
            assert!(error.to_string().starts_with(what), "{error}");
            let what =
                "the input of the next pass, a dacapo::values::edge::Note, cannot be recorded";
            let error = pass.expect_err("it is too large");
            assert!(error.to_string().starts_with(what), "{error}");
        } else {
            assert_eq!((output?, pass?), (note(40), 40));
        }
        drop(executor);
        let executor = build_ends(later).open_with(store)?;
        executor.verify("output")?;
        executor.verify("pass")?;
    }
    Ok(())
}
