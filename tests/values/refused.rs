//! What can be written and not be read back is refused where it is to be recorded, and leaves
//! nothing: what follows is recorded as if it had never been.

use std::thread;

use dacapo::store::{MemoryStore, Store};
use dacapo::{
    Attempt, Channel, Ctx, Error, Executor, ParkReason, Question, Result, Topic, Workflow,
};
use serde::{Deserialize, Serialize};

/// Written without its list if that is empty, and not read then.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Bad {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list: Vec<u8>,
    x: u8,
}

const WHY: &str = "cannot be recorded: it can be written and not read back: missing field `list`; it \
                   would be recorded as Bad { x: u8 }";

fn bad() -> Bad {
    Bad { list: vec![], x: 1 }
}

fn good() -> Bad {
    Bad { list: vec![7], x: 1 }
}

fn refused<T: std::fmt::Debug>(result: Result<T>, what: &str) -> Error {
    let error = result.expect_err("it is refused");
    let expected = format!("{what} {WHY}");
    assert!(error.to_string().contains(&expected), "{error}\nis not\n{expected}");
    error
}

const KEEP: Workflow<Bad, Bad> = Workflow::new("keep");
const MAKE: Workflow<bool, Bad> = Workflow::new("make");

#[test]
fn an_input() -> Result<()> {
    let store = MemoryStore::new();
    let keep = async |_: &Ctx, bad: Bad| Ok::<_, Error>(bad);
    let executor = Executor::builder().workflow(KEEP, keep).open_with(store.shared())?;
    let error = refused(executor.start(KEEP, "run", bad()), "the input of run \"run\"");
    assert!(!error.is_parked() && !error.is_store());
    let remote = executor.remote();
    let far = thread::spawn(move || (remote.start(KEEP, "far", bad()), remote)).join().unwrap();
    refused(executor.block_on(far.0), "the input of run \"far\"");
    executor.block_on(async {});
    assert_eq!(store.list(&dacapo::store::Filter::new()).unwrap(), []);
    assert!(store.shapes().unwrap().is_empty(), "nothing of it is left");

    assert_eq!(executor.block_on(executor.start(KEEP, "run", good())?)?, good());
    assert_eq!(executor.block_on(far.1.start(KEEP, "far", good()))?, good());
    drop(executor);
    let executor = Executor::builder().workflow(KEEP, keep).open_with(store.shared())?;
    assert_eq!(executor.block_on(executor.attach(KEEP, "far")?)?, good());
    executor.verify("run")
}

#[test]
fn an_outcome_and_an_output() -> Result<()> {
    let store = MemoryStore::new();
    let make = async |ctx: &Ctx, in_step: bool| match in_step {
        true => ctx.step("make", async || Ok::<_, Error>(bad())).await,
        false => Ok(bad()),
    };
    let executor = Executor::builder().workflow(MAKE, make).open_with(store.shared())?;
    let kind = "dacapo::values::refused::Bad";
    let error = refused(
        executor.block_on(executor.start(MAKE, "step", true)?),
        &format!("step 1 \"make\" failed: the outcome, a {kind},"),
    );
    assert!(error.is_permanent());
    refused(
        executor.block_on(executor.start(MAKE, "output", false)?),
        &format!("the output, a {kind},"),
    );
    for id in ["step", "output"] {
        executor.verify(id)?;
    }
    assert!(store.shapes().unwrap().is_empty(), "nothing of it is left");
    Ok(())
}

const TALK: Workflow<u8, u8> = Workflow::new("talk");
const WORDS: Channel<Bad> = Channel::new("words");
const ASK: Question<Bad, Bad> = Question::new("ask");
const NEWS: Topic<Bad> = Topic::new("news");

async fn talk(ctx: &Ctx, what: u8) -> Result<u8> {
    match what {
        0 => ctx.send("nobody", WORDS, bad()).await.map(|()| 0),
        1 => ctx.child(KEEP, bad()).await.map(|bad| bad.x),
        2 => {
            let publish = async |attempt: Attempt| {
                attempt.publish(NEWS, bad());
                Ok::<_, Error>(0)
            };
            ctx.step_with("publish", publish).await
        }
        3 => {
            ctx.publish(NEWS, bad());
            Ok(0)
        }
        4 => {
            let asked = ctx.receive(ASK).await;
            asked.answer(ctx, bad());
            Ok(0)
        }
        _ => Ok(ctx.receive(WORDS).await.x),
    }
}

#[test]
fn what_runs_say() -> Result<()> {
    let store = MemoryStore::new();
    let executor = Executor::builder().workflow(TALK, talk).open_with(store.shared())?;
    let kind = "dacapo::values::refused::Bad";
    let end = |id, what| executor.block_on(executor.start(TALK, id, what)?);
    refused(end("send", 0), &format!("the message, a {kind},"));
    refused(end("child", 1), &format!("the input of child 1 \"keep\", a {kind},"));
    refused(end("body", 2), &format!("panicked: the value for topic \"news\", a {kind},"));
    let error = refused(end("code", 3), &format!("publish 1 on \"news\", a {kind},"));
    assert_eq!(error.park_reason(), Some(ParkReason::Misused));

    drop(executor.start(TALK, "ask", 4)?);
    let asking = executor.ask("ask", ASK, bad());
    refused(executor.block_on(asking), &format!("the question \"ask\" for run \"ask\", a {kind},"));
    let asking = executor.remote().ask("ask", ASK, bad());
    refused(executor.block_on(asking), &format!("the question \"ask\" for run \"ask\", a {kind},"));
    // Who asks waits for the run, which is parked with the question in hand.
    let asking = executor.ask("ask", ASK, good());
    let turns = async {
        for _ in 0..20 {
            dacapo::yield_now().await;
        }
        Err(Error::new("no answer yet"))
    };
    executor.block_on(dacapo::race(asking, turns)).expect_err("nobody answers");
    let run = executor.attach(TALK, "ask")?;
    let error = executor.block_on(run).expect_err("it is parked");
    let what = format!("the answer to the question of receive 1, a {kind},");
    // The shape knows by now that the list may be missing, and what is told says so.
    let why = "would be recorded as Bad { list?: Vec<u8>, x?: u8 }";
    assert!(error.to_string().contains(&what) && error.to_string().contains(why), "{error}");

    let run = executor.start(TALK, "listen", 5)?;
    let what = format!("the message for run \"listen\" on channel \"words\", a {kind},");
    let sendings = [
        executor.block_on(executor.send("listen", WORDS, bad())),
        executor.block_on(executor.remote().send("listen", WORDS, bad())),
    ];
    for sending in sendings {
        let error = sending.expect_err("it is refused").to_string();
        assert!(error.starts_with(&what) && error.ends_with(why), "{error}");
    }
    executor.block_on(executor.send("listen", WORDS, good()))?;
    assert_eq!(executor.block_on(run)?, 1);
    for id in ["send", "child", "body", "listen"] {
        executor.verify(id)?;
    }
    Ok(())
}
