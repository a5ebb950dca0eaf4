//! What a run did, put together of its records: also of one that is under way, in memory or not.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::store::{Filter, MemoryStore};
use dacapo::{Attempt, Channel, Ctx, Either, Error, Executor, Result, Retry, Workflow, select};
use dacapo_inspect::{Shown, Source, View, Which};

const WORK: Workflow<(), ()> = Workflow::new("work");
const REST: Workflow<(), ()> = Workflow::new("rest");
const GO: Channel<()> = Channel::new("go");

/// Ends children in every way, and then waits for a step that fails, a message and a sleep.
async fn work(ctx: &Ctx, (): ()) -> Result<()> {
    ctx.child(REST, ()).detach();
    let mut let_go = ctx.child(REST, ());
    let_go.started().await?;
    let_go.detach();
    let mut dropped = ctx.child(REST, ());
    dropped.started().await?;
    drop(dropped);
    let once = ctx.step("once", async || Ok::<_, Error>(7_u64)).at_most_once();
    once.await?;
    let ask = async |_: Attempt| Err::<(), _>(Error::new("the bank is down"));
    let patient = Retry::exponential(Duration::from_secs(3600));
    let ask = ctx.step_with("ask", ask).label("bank").retry(patient);
    let waits = select(ctx.receive(GO), ctx.sleep(Duration::from_secs(86_400)));
    match select(ask, waits).await {
        Either::First(asked) => asked,
        Either::Second(_) => Ok(()),
    }
}

fn open(store: &MemoryStore, clock: &VirtualClock) -> Executor {
    let builder = Executor::builder().clock(clock.clone()).seed(7).workflow(WORK, work);
    let rest = async |ctx: &Ctx, ()| {
        ctx.receive(GO).await;
        Ok::<_, Error>(())
    };
    builder.workflow(REST, rest).open_with(store.shared()).expect("it is read")
}

/// Each operation in a line.
fn lines(source: Source<'_>, which: Which) -> Vec<String> {
    let info = source.find("work-1", None).expect("it is read").expect("it has a last pass");
    let run = source.run(&info, View::default().only(which)).expect("it is read");
    let line = |shown: &Shown| match shown {
        Shown::One(one) => {
            let number = one.number.as_deref().unwrap_or("-");
            let error = one.error().map(|error| format!(": {}", error.line())).unwrap_or_default();
            format!("{number} {} {:?} ×{}{error}", one.title(), one.state, one.attempts)
        }
        other => panic!("{other:?} is more than one"),
    };
    let mut lines: Vec<_> = run.shown.iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_run_that_is_under_way() {
    let (store, clock) = (MemoryStore::new(), VirtualClock::default());
    let executor = open(&store, &clock);
    executor
        .block_on(async {
            executor.start(WORK, "work-1", ())?.accepted().await?;
            clock.sleep(Duration::from_secs(60)).await;
            Ok::<_, Error>(())
        })
        .expect("it begins");
    let done = [
        r#"1 child "rest" [work-1/1] Done ×0"#,
        r#"2 child "rest" [work-1/2] Done ×0"#,
        "4 once Done ×1",
    ];
    let awaited = [
        "5 ask [bank] Retrying ×1: the bank is down",
        r#"6 receive "go" Awaited ×0"#,
        "7 sleep Awaited ×0",
    ];
    assert_eq!(lines(Source::new(&executor), Which::All), [done, awaited].concat());
    let mut exported = Vec::new();
    executor.export(&["work-1"], &mut exported).expect("it is written");
    drop(executor);

    let executor = open(&MemoryStore::new(), &clock);
    executor.import(&exported[..]).expect("it is read");
    let imported = lines(Source::new(&executor), Which::All);
    assert!(imported.contains(&"- import Done ×0".into()), "{imported:?}");
    drop(executor);

    // At rest nobody knows what it waits for, nor the name of a step without an outcome.
    let executor = Executor::builder().clock(clock.clone()).look_at(store.shared());
    let executor = executor.expect("it is read");
    let at_rest = ["5 step Retrying ×1: the bank is down"];
    assert_eq!(lines(Source::new(&executor), Which::All), [&done[..], &at_rest].concat());
    assert_eq!(lines(Source::new(&executor), Which::Failed), at_rest);
    let rows = Source::new(&executor).rows(&Filter::new()).expect("it is read");
    let words: Vec<_> = rows.iter().map(|row| (row.id.as_str(), row.word())).collect();
    assert_eq!(
        words,
        [
            ("work-1", "retrying"),
            ("work-1/1", "waiting"),
            ("work-1/2", "waiting"),
            ("work-1/3", "cancelled"),
        ]
    );
}

/// By a rehearsal, of the code that this program has; and only if its code may be run for that.
#[test]
fn the_lines_of_operations() -> Result<()> {
    const PAY: Workflow<u8, u8> = Workflow::new("pay");
    let store = MemoryStore::new();
    let pay = async |ctx: &Ctx, n: u8| -> Result<u8> {
        ctx.step("reserve", async || Ok::<_, Error>(())).await?;
        for _ in 0..9 {
            ctx.step("charge", async || Ok::<_, Error>(())).await?;
        }
        Ok(n)
    };
    let line = line!() - 6;
    let executor = Executor::builder().workflow(PAY, pay).open_with(store.shared())?;
    executor.block_on(executor.start(PAY, "pay-1", 1)?)?;
    let sources = |source: Source<'_>| -> Result<Vec<Option<String>>> {
        let run = source.run(&source.info("pay-1")?, View::default())?;
        let of = |shown: &Shown| match shown {
            Shown::One(operation) => operation.source.clone(),
            Shown::Many(site) => site.source.clone(),
            _ => None,
        };
        Ok(run.shown.iter().map(of).collect())
    };
    let at = |line: u32| Some(format!("{}:{line}", file!()));
    assert_eq!(sources(Source::new(&executor))?, [at(line), at(line + 2)]);
    assert_eq!(sources(Source::new(&executor).without_rehearsals())?, [None, None]);
    drop(executor);
    let bare = Executor::builder().look_at(store)?;
    assert_eq!(sources(Source::new(&bare))?, [None, None]);
    Ok(())
}
