//! What a sleeping run takes, to the byte: in a binary of its own, because it counts all memory.

use std::alloc::System;
use std::time::Duration;

use dacapo::{Ctx, Executor, Result, Workflow};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[path = "../benches/steps/forgetful.rs"]
mod forgetful;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SLEEPER: Workflow<(), ()> = Workflow::new("sleeper");

/// So many runs fill the slots that are allocated for them.
const RUNS: usize = 1 << 15;

async fn sleeper(ctx: &Ctx, (): ()) -> Result<()> {
    ctx.sleep(Duration::from_secs(31_536_000)).await;
    Ok(())
}

/// An id of five digits counts, and so does the box of the workflow's own future: some 136 bytes.
#[test]
fn a_sleeping_run_is_small() {
    let store = forgetful::Forgetful::default();
    let executor = Executor::builder().workflow(SLEEPER, sleeper).open_with(store);
    let executor = executor.expect("nothing is read");
    let region = Region::new(ALLOCATOR);
    for run in 0..RUNS {
        drop(executor.start(SLEEPER, &format!("{run:05}"), ()).expect("it is new"));
        if run % 1024 == 1023 {
            executor.block_on(async {});
        }
    }
    let used = region.change();
    let live = (used.bytes_allocated - used.bytes_deallocated) / RUNS;
    let blocks = (used.allocations - used.deallocations) as f64 / RUNS as f64;
    // The id, the run, what the executor keeps of it, its task, its sleep; and parts of tree nodes.
    assert!(blocks < 6.0, "{blocks} blocks");
    assert!(live <= 730, "{live} bytes");
}
