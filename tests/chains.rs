//! Tasks of a run that hold each other's handles, in a chain longer than the stack is deep.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{Ctx, Error, Executor, Result, Task, Workflow};

const CHAIN: Workflow<End, usize> = Workflow::new("chain");
const LONG: usize = 20_000;

/// How the first task of the chain is dropped.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
enum End {
    ByTheWorkflow,
    WithTheRun,
    WithTheExecutor,
}

/// Counts itself when it is dropped.
struct Guard(Rc<Cell<usize>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A task that spawns and holds the next.
fn link(ctx: &Ctx, left: usize, dropped: Rc<Cell<usize>>) -> Task<()> {
    ctx.spawn(async move |ctx: &Ctx| {
        let _guard = Guard(dropped.clone());
        let _next = (left > 1).then(|| link(ctx, left - 1, dropped));
        ctx.sleep(Duration::from_secs(86_400)).await;
    })
}

async fn chain(ctx: &Ctx, end: End, dropped: Rc<Cell<usize>>) -> Result<usize> {
    dropped.set(0);
    let first = link(ctx, LONG, dropped.clone());
    ctx.step("begun", async || Ok::<_, Error>(())).await?;
    match end {
        End::ByTheWorkflow => drop(first),
        End::WithTheRun => {}
        End::WithTheExecutor => ctx.sleep(Duration::from_secs(86_400)).await,
    }
    Ok(dropped.get())
}

/// Runs one on a thread whose stack would not do for drops one within the other.
fn check(end: End, found: Option<usize>) {
    let run = move || {
        let dropped = Rc::new(Cell::new(0));
        let count = dropped.clone();
        let builder = Executor::builder()
            .workflow(CHAIN, async move |ctx: &Ctx, end| chain(ctx, end, count.clone()).await);
        let executor = builder.open_with(MemoryStore::new()).expect("memory opens");
        let run = executor.start(CHAIN, "run", end).expect("new");
        match found {
            Some(found) => assert_eq!(executor.block_on(run).expect("it ends"), found),
            None => {
                executor.block_on(run.accepted()).expect("it begins");
                assert_eq!(dropped.get(), 0);
            }
        }
        drop(executor);
        assert_eq!(dropped.get(), LONG);
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(run);
    thread.expect("there is memory").join().expect("it has stack enough");
}

#[test]
fn a_long_chain_of_tasks_is_dropped_there_and_then() {
    check(End::ByTheWorkflow, Some(LONG));
}

#[test]
fn a_long_chain_of_tasks_is_dropped_with_its_run() {
    check(End::WithTheRun, Some(0));
}

#[test]
fn a_long_chain_of_tasks_is_dropped_with_its_executor() {
    check(End::WithTheExecutor, None);
}
