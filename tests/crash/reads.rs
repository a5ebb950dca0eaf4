//! A disk that does not answer while it is read says nothing about the runs.

use std::cell::Cell;

use dacapo::sim::Snapshots;
use dacapo::store::{Error, Hooked, Operation};
use dacapo::{Builder, Ctx, Executor, Workflow};

const W: Workflow<(), ()> = Workflow::new("w");

fn build() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, ()| {
        ctx.step("one", async || Ok::<_, dacapo::Error>(())).await
    })
}

/// Refuses to read a history behind so many others.
fn refuse_history(left: u32) -> impl Fn(&Operation<'_>) -> dacapo::store::Result<()> {
    let left = Cell::new(left);
    move |operation| {
        if !matches!(operation, Operation::History(_)) {
            return Ok(());
        }
        let error = || Error::refused("the disk does not answer: try again");
        left.set(left.get().checked_sub(1).ok_or_else(error)?);
        Ok(())
    }
}

/// It was parked as damaged, for good.
#[test]
fn a_read_that_is_refused_parks_nothing() {
    let store = Snapshots::default();
    let executor = build().open_with(store.clone()).expect("it is new");
    let runs = ["a", "b"].map(|id| executor.start(W, id, ()).expect("it is new"));
    executor.block_on(async {
        for run in runs {
            run.accepted().await.expect("nothing fails yet");
        }
    });
    drop(executor);
    for left in 0..2 {
        let refusing = Hooked::new(store.clone(), refuse_history(left));
        let error = build().open_with(refusing).expect_err("one history is not read");
        assert!(error.is_store(), "{error:?}");
    }
    let executor = build().open_with(store).expect("it is read again");
    for id in ["a", "b"] {
        let run = executor.attach(W, id).expect("it is there");
        executor.block_on(run).expect("nothing is wrong with it");
    }
}
