//! Counters, gauges and histograms.

use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
use metrics::with_local_recorder;

use crate::collected::Figures;

const ORDER: Workflow<u32, u32> = Workflow::new("order");

async fn order(ctx: &Ctx, cents: u32) -> Result<u32> {
    let charge = async move |attempt: Attempt| match attempt.number() {
        1 => Err(Error::new("the bank is closed")),
        _ if cents > 900 => Err(Error::new("too much").permanent()),
        _ => Ok(cents),
    };
    let paid = ctx.step_with("charge", charge).retry(Retry::exponential(Duration::ZERO)).await?;
    let block = async || {
        std::thread::sleep(Duration::from_millis(101));
        Ok::<_, Error>(())
    };
    ctx.step("block", block).await?;
    if paid == 13 {
        panic!("no luck");
    }
    Ok(paid)
}

#[test]
fn figures_say_how_an_executor_does() {
    let _alone = crate::alone();
    let figures = Figures::default();
    with_local_recorder(&figures, || {
        let executor = Executor::builder().workflow(ORDER, order).in_memory();
        for (id, cents) in [("a", 700), ("b", 901), ("c", 13)] {
            let run = executor.start(ORDER, id, cents).expect("new");
            let ended = executor.block_on(run);
            assert_eq!(ended.is_ok(), cents == 700, "{ended:?}");
        }
        // Counted once a second.
        std::thread::sleep(Duration::from_secs(1));
        executor.block_on(dacapo::yield_now());
    });
    let of = |name| figures.of(name);
    assert_eq!(of("dacapo_runs_ended_total{outcome=completed}"), [1.0]);
    assert_eq!(of("dacapo_runs_ended_total{outcome=failed}"), [1.0]);
    assert_eq!(of("dacapo_runs_parked_total{reason=panicked}"), [1.0]);
    assert_eq!(of("dacapo_attempts_failed_total"), [4.0]);
    assert_eq!(of("dacapo_blocked_polls_total"), [2.0]);
    assert_eq!(of("dacapo_runs{state=completed}"), [1.0]);
    assert_eq!(of("dacapo_runs{state=parked}"), [1.0]);
    assert_eq!((of("dacapo_ready_bodies").len(), of("dacapo_resident_runs")), (1, vec![0.0]));
    let (commits, records) = (of("dacapo_commit_seconds"), of("dacapo_commit_records"));
    assert_eq!(commits.len(), records.len());
    // A start, two outcomes and an end; a start, a failure and an end; a start and two outcomes.
    assert_eq!(records.iter().sum::<f64>(), 10.0);
    // Each body once, and once more after the attempt that failed.
    assert!(
        of("dacapo_ready_to_poll_seconds").len() >= 8,
        "{:?}",
        of("dacapo_ready_to_poll_seconds")
    );
}

#[test]
fn a_simulated_clock_changes_no_figure() {
    let _alone = crate::alone();
    let figures = Figures::default();
    with_local_recorder(&figures, || {
        let clock = VirtualClock::default();
        let executor = Executor::builder().workflow(ORDER, order).clock(clock).in_memory();
        let run = executor.start(ORDER, "a", 700).expect("new");
        executor.block_on(run).expect("it is well");
    });
    assert_eq!(figures.of("dacapo_commit_records").iter().sum::<f64>(), 4.0);
}
