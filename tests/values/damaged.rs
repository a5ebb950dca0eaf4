//! A shape that is damaged stops the runs whose values need it, and no others.

use dacapo::store::{Hooked, Hooks, MemoryStore, Store};
use dacapo::{Builder, Channel, Ctx, Error, Executor, ParkReason, Result, Workflow};
use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Price {
    net: u32,
    tax: u32,
}

/// The shapes, in the order in which the runs below have values of them.
const SHAPES: [&str; 4] = ["input", "outcome", "message", "output"];

const PRICE: Workflow<Price, u32> = Workflow::new("input");
const LIST: Workflow<u32, u32> = Workflow::new("outcome");
const TALK: Workflow<u32, u32> = Workflow::new("message");
const PAIR: Workflow<u32, (u32, u32)> = Workflow::new("output");
const WORDS: Channel<Option<u32>> = Channel::new("words");
const GO: Channel<()> = Channel::new("go");

/// Each waits for a word to go on.
fn build() -> Builder {
    Executor::builder()
        .workflow(PRICE, async |ctx: &Ctx, price: Price| {
            ctx.receive(GO).await;
            Ok::<_, Error>(price.net + price.tax)
        })
        .workflow(LIST, async |ctx: &Ctx, count: u32| {
            let body = async move || Ok::<_, Error>(vec![count]);
            let list = ctx.step("list", body).await?;
            ctx.receive(GO).await;
            Ok::<_, Error>(list[0])
        })
        .workflow(TALK, async |ctx: &Ctx, n: u32| {
            let word = ctx.receive(WORDS).await;
            ctx.receive(GO).await;
            Ok::<_, Error>(word.unwrap_or(n))
        })
        .workflow(PAIR, async |_: &Ctx, n: u32| Ok::<_, Error>((n, n)))
}

/// What is stored when all of them wait, and the last one has ended.
fn stored() -> MemoryStore {
    let store = MemoryStore::new();
    let executor = build().open_with(store.shared()).expect("it opens");
    let waiting: Result<()> = executor.block_on(async {
        executor.start(PRICE, "input", Price { net: 100, tax: 19 })?.accepted().await?;
        executor.start(LIST, "outcome", 7)?.accepted().await?;
        while store.shapes().expect("readable").len() < 2 {
            dacapo::yield_now().await;
        }
        executor.start(TALK, "message", 7)?.accepted().await?;
        executor.send("message", WORDS, Some(8)).await?;
        executor.start(PAIR, "output", 9)?.await.map(drop)
    });
    waiting.expect("all of them are there");
    assert_eq!(store.shapes().expect("readable").len(), SHAPES.len());
    store.snapshot()
}

/// Hands out a shape that is not what was written.
struct Damage(usize, Option<&'static [u8]>);

impl<S> Hooks<S> for Damage {
    fn read_shapes(&self, shapes: &mut Vec<Option<Vec<u8>>>) -> dacapo::store::Result<()> {
        shapes[self.0] = self.1.map(<[u8]>::to_vec);
        Ok(())
    }
}

/// How a run ends that has been told to go on.
async fn end(executor: &Executor, id: &str) -> Result<u32> {
    match id {
        "input" => executor.attach(PRICE, id)?.await,
        "outcome" => executor.attach(LIST, id)?.await,
        _ => executor.attach(TALK, id)?.await,
    }
}

fn go_on(executor: &Executor, id: &str) -> Result<u32> {
    executor.block_on(async {
        executor.send(id, GO, ()).await?;
        end(executor, id).await
    })
}

fn message(id: &str, place: usize) -> String {
    let why = format!("shape {place} of the file is damaged");
    let what = match id {
        "input" => "the input does not decode as dacapo::values::damaged::Price",
        "outcome" => "the outcome of step 1 \"list\" does not decode as alloc::vec::Vec<u32>",
        _ => {
            "the message on channel \"words\", record 1, does not decode as core::option::Option<u32>"
        }
    };
    let skipping = match id {
        "message" => "`Executor::resume_skipping` goes on without it; or ",
        _ => "",
    };
    format!(
        "damaged history: {what}: {why}; {skipping}restore the file from a backup, then open it again"
    )
}

#[test]
fn only_the_runs_that_need_it_are_parked() -> Result<()> {
    for (place, damaged) in SHAPES.iter().enumerate() {
        for damage in [None, Some(&b"no shape"[..])] {
            let stored = stored();
            let hooked = Hooked::new(stored.shared(), Damage(place, damage));
            let executor = build().open_with(hooked)?;
            // All others go on, and end.
            for (id, end) in [("input", 119), ("outcome", 7), ("message", 8)] {
                let came = go_on(&executor, id);
                if id != *damaged {
                    assert_eq!(came?, end);
                    continue;
                }
                let error = came.expect_err("its shape is damaged");
                assert_eq!(error.park_reason(), Some(ParkReason::Damaged));
                let expected = format!("run {id:?} is parked: {}", message(id, place));
                assert_eq!(error.to_string(), expected);
            }
            let output = executor.block_on(executor.attach(PAIR, "output")?);
            if SHAPES[place] == "output" {
                let error = output.expect_err("its shape is damaged");
                let expected = "the output of run \"output\" does not decode as (u32, u32): shape 3 of \
                                the file is damaged; restore the file from a backup, then open it again";
                assert!(error.is_store());
                assert_eq!(error.to_string(), expected);
            } else {
                assert_eq!(output?, (9, 9));
            }

            // What is new of the type gets a shape of its own.
            assert_eq!(executor.block_on(executor.start(PAIR, "new", 7)?)?, (7, 7));
            let run = executor.start(PRICE, "another", Price { net: 1, tax: 2 })?;
            executor.block_on(executor.send("another", GO, ()))?;
            assert_eq!(executor.block_on(run)?, 3);
            drop(executor);
            let shapes = stored.shapes().expect("readable").len();
            let has_more = matches!(SHAPES[place], "input" | "output");
            assert_eq!(shapes, SHAPES.len() + usize::from(has_more));

            // When it is back, so is everything.
            let executor = build().open_with(stored)?;
            if SHAPES[place] != "output" {
                executor.resume(SHAPES[place])?;
                executor.block_on(end(&executor, SHAPES[place]))?;
            }
            for id in SHAPES.into_iter().chain(["new", "another"]) {
                executor.verify(id)?;
            }
            assert_eq!(executor.block_on(executor.attach(PAIR, "output")?)?, (9, 9));
            assert_eq!(executor.block_on(executor.attach(PAIR, "new")?)?, (7, 7));
        }
    }
    Ok(())
}
