//! A disk that does not answer while it is read says nothing about the runs.

use std::cell::Cell;

use dacapo::sim::Snapshots;
use dacapo::store::{Batch, Entry, Error, Filter, RunKey, RunRow, Store};
use dacapo::{Builder, Ctx, Executor, Workflow};

const W: Workflow<(), ()> = Workflow::new("w");

fn build() -> Builder {
    Executor::builder().workflow(W, async |ctx: &Ctx, ()| {
        ctx.step("one", async || Ok::<_, dacapo::Error>(())).await
    })
}

/// A store that refuses to read one history.
struct Refusing {
    store: Snapshots,
    /// How many histories are read before.
    left: Cell<u32>,
}

impl Store for Refusing {
    fn commit(&mut self, batch: &Batch) -> dacapo::store::Result<()> {
        self.store.commit(batch)
    }
    fn find(&self, id: &str) -> dacapo::store::Result<Option<RunRow>> {
        self.store.find(id)
    }
    fn row(&self, run: RunKey) -> dacapo::store::Result<Option<RunRow>> {
        self.store.row(run)
    }
    fn list(&self, filter: &Filter) -> dacapo::store::Result<Vec<RunRow>> {
        self.store.list(filter)
    }
    fn history(&self, run: RunKey) -> dacapo::store::Result<Vec<Entry>> {
        match self.left.get().checked_sub(1) {
            None => Err(Error::refused("the disk does not answer: try again")),
            Some(left) => {
                self.left.set(left);
                self.store.history(run)
            }
        }
    }
    fn last(&self, run: RunKey) -> dacapo::store::Result<Option<Entry>> {
        self.store.last(run)
    }
    fn delete(&mut self, runs: &[RunKey]) -> dacapo::store::Result<()> {
        self.store.delete(runs)
    }
    fn next_run(&self) -> RunKey {
        self.store.next_run()
    }
    fn time(&self) -> u64 {
        self.store.time()
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
        let refusing = Refusing { store: store.clone(), left: Cell::new(left) };
        let error = build().open_with(refusing).expect_err("one history is not read");
        assert!(error.is_store(), "{error:?}");
    }
    let executor = build().open_with(store).expect("it is read again");
    for id in ["a", "b"] {
        let run = executor.attach(W, id).expect("it is there");
        executor.block_on(run).expect("nothing is wrong with it");
    }
}
