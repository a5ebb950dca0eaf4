//! What it takes to hold all unfinished runs of a file against a build: 10,000 of 100 records each.

use std::fs;
use std::time::Duration;

use dacapo::{Builder, Ctx, Executor, Result, Workflow};

use crate::harness::Options;
use crate::harness::report::{Report, median};

/// So many steps, and then it waits.
const WAITS: Workflow<u32, u64> = Workflow::new("waits");

/// The others are its start and 99 outcomes.
const STEPS: u32 = 99;

async fn waits(ctx: &Ctx, steps: u32) -> Result<u64> {
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", async move || Result::<u64>::Ok(n.into())).await?;
    }
    ctx.sleep(Duration::from_secs(3_600)).await;
    Ok(sum)
}

fn build() -> Builder {
    Executor::builder().workflow(WAITS, waits)
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.row("verify_all", "s of the processor", || {
        let runs = options.size(1_000, 10_000);
        let path = options.file("verified.redb");
        let executor = build().open(&path).expect("it is created");
        let ids = (0..runs).map(|n| n.to_string());
        let started: Vec<_> =
            ids.map(|id| executor.start(WAITS, &id, STEPS).expect("new")).collect();
        executor.block_on(async {
            // A step and its outcome take a turn, and each turn is one commit.
            for _ in 0..2 * STEPS + 10 {
                dacapo::yield_now().await;
            }
        });
        for id in ["0", &(runs - 1).to_string()] {
            let records = executor.history(id, 0..1).expect("it is there").records;
            assert_eq!(records, u64::from(STEPS) + 1, "of run {id}");
        }
        drop((started, executor));
        let times = (0..3).map(|_| {
            let before = processor();
            let rehearsed = build().rehearse(&path).expect("it is there");
            assert_eq!((rehearsed.tried, rehearsed.parked.len()), (runs as usize, 0));
            processor() - before
        });
        median(times.collect()).as_secs_f64()
    });
}

/// How long this thread has been on a processor.
fn processor() -> Duration {
    let all = fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanos = all.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("the first number is the time on a processor"))
}
