//! Values as the types of a program show them.
#![cfg(feature = "view")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use dacapo::store::MemoryStore;
use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Secret, Workflow};
use dacapo_inspect::{Recorded, Source, View};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
struct Card {
    id: Uuid,
    number: Secret<String>,
}

const PAY: Workflow<Uuid, Uuid> = Workflow::new("pay");
const CARDS: Channel<Card> = Channel::new("cards");

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// The second release has another step.
fn release(step: &'static str) -> Builder {
    Executor::builder().workflow(PAY, async move |ctx: &Ctx, order: Uuid| -> Result<Uuid> {
        let key = ctx.step(step, async || Ok::<_, Error>(id(2))).await?;
        let rates = async || Ok::<_, Error>(BTreeMap::from([((1, 2), id(4))]));
        let _no_json: BTreeMap<(u8, u8), Uuid> = ctx.step("rates", rates).await?;
        let card = ctx.receive(CARDS).await;
        Ok::<_, Error>(id(key.as_u128() + order.as_u128() + card.id.as_u128()))
    })
}

fn paid(store: &MemoryStore) -> Result<()> {
    let executor = release("charge").open_with(store.shared())?;
    executor.block_on(async {
        let run = executor.start(PAY, "pay-1", id(1))?;
        let card = Card { id: id(3), number: Secret::new("4111".into()) };
        executor.send("pay-1", CARDS, card).await?;
        assert_eq!(run.await?, id(6));
        Ok(())
    })
}

/// What is shown of a value.
fn shown(source: Source<'_>, which: Recorded) -> Result<String> {
    let run = source.info("pay-1")?;
    Ok(source.value(&run, which)?.expect("it is there").json().to_owned())
}

#[test]
fn a_value_is_shown_as_its_type_shows_it() -> Result<()> {
    let store = MemoryStore::new();
    paid(&store)?;
    let executor = release("charge").look_at(store.shared())?;
    let (source, which) = (Source::new(&executor), |text: &str| text.parse().expect("it is one"));
    let uuid = |number| format!("\"{}\"", id(number));
    assert_eq!(shown(source, Recorded::Input)?, uuid(1));
    assert_eq!(shown(source, which("1"))?, uuid(2));
    assert_eq!(shown(source, Recorded::Output)?, uuid(6));
    // By their shapes: what holds a secret, and what is no JSON.
    for (which, by_shape) in [(which("@1"), "\"number\":\"(secret)\""), (which("2"), "{\"[1,2]\":")]
    {
        let shown = shown(source, which)?;
        assert!(shown.contains(by_shape) && !shown.contains(&uuid(3)), "{shown}");
        assert!(!shown.contains("4111") && !shown.contains(&uuid(4)), "{shown}");
    }
    let run = source.run(&source.info("pay-1")?, View::default())?;
    assert_eq!(run.input.expect("it has one").json(), uuid(1));

    // Nobody runs the code of it.
    let bytes = shown(source.without_rehearsals(), Recorded::Input)?;
    assert_eq!(bytes, format!("\"{}\"", id(1).simple()));
    // Without the workflow it is as if there were no types; one that diverges has those up to there.
    let bare = Executor::builder().look_at(store.shared())?;
    assert_eq!(shown(Source::new(&bare), Recorded::Input)?, bytes);
    let other = release("debit").look_at(store.shared())?;
    assert_eq!(shown(Source::new(&other), Recorded::Input)?, uuid(1));
    assert_ne!(shown(Source::new(&other), which("1"))?, uuid(2));
    Ok(())
}

/// The code of a run that is held, since it may end the process, runs for nobody who looks.
#[test]
fn a_run_that_is_held_is_shown_by_its_shapes() -> Result<()> {
    let store = MemoryStore::new();
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let wait = async move |ctx: &Ctx, order: Uuid| -> Result<Uuid> {
        counted.set(counted.get() + 1);
        ctx.receive(CARDS).await;
        Ok(order)
    };
    let executor = Executor::builder().workflow(PAY, wait).open_with(store)?;
    executor.block_on(executor.start(PAY, "pay-1", id(1))?.accepted())?;
    let source = Source::new(&executor);
    assert_eq!(shown(source, Recorded::Input)?, format!("\"{}\"", id(1)));
    executor.hold("pay-1")?;
    let before = calls.get();
    assert_eq!(shown(source, Recorded::Input)?, format!("\"{}\"", id(1).simple()));
    source.run(&source.info("pay-1")?, View::default())?;
    assert_eq!(calls.get(), before);
    executor.resume("pay-1")?;
    executor.block_on(dacapo::yield_now());
    assert_eq!(shown(source, Recorded::Input)?, format!("\"{}\"", id(1)));
    Ok(())
}
