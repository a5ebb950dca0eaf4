//! What sleeping and queued runs take, to the byte: in a binary of its own, because it counts all memory.

use std::alloc::System;
use std::time::Duration;

use dacapo::{Ctx, Executor, Limits, Queue, Result, Start, Workflow};
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

/// One after the other: each counts all memory.
#[test]
fn runs_that_wait_are_small() {
    a_sleeping_run_is_small();
    a_queued_run_is_smaller();
}

/// An id of five digits counts, and so does the box of the workflow's own future: some 136 bytes.
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

/// Of a run that waits in a queue or for a time there is no more than its place in the order.
fn a_queued_run_is_smaller() {
    const LINE: Queue = Queue::new("line");
    let options = [Start::new().queue(LINE), Start::new().delay(Duration::from_secs(31_536_000))];
    for options in options {
        let executor = Executor::builder()
            .workflow(SLEEPER, sleeper)
            .queue(LINE, Limits::new().concurrency(1))
            .open_with(forgetful::Forgetful::default())
            .expect("nothing is read");
        let first = executor.start_with(SLEEPER, "first", (), Start::new().queue(LINE));
        drop(first.expect("it is new"));
        executor.block_on(async {});
        let region = Region::new(ALLOCATOR);
        for run in 0..4 * RUNS {
            let options = options.clone();
            drop(executor.start_with(SLEEPER, &format!("{run:06}"), (), options).expect("new"));
            if run % 1024 == 1023 {
                executor.block_on(async {});
            }
        }
        let used = region.change();
        let live = (used.bytes_allocated - used.bytes_deallocated) / (4 * RUNS);
        assert!(live <= 100, "{live} bytes");
    }
}
