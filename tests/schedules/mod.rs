//! Runs that are started at the times of schedules.

mod looked_after;
mod simulated;
mod ticks;
mod wrong;

use std::time::Duration;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{Filter, MemoryStore, Store};
use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Schedule, Tick, Timestamp, Workflow};

const REPORT: Workflow<u64, u64> = Workflow::new("report");
const GO: Channel<()> = Channel::new("go");
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// A report of the second that it is for.
async fn report(_: &Ctx, second: u64) -> Result<u64> {
    Ok(second)
}

/// One that waits until somebody says so.
async fn slow(ctx: &Ctx, second: u64) -> Result<u64> {
    ctx.receive(GO).await;
    Ok(second)
}

fn second(tick: Tick) -> u64 {
    let time = tick.time().duration_since(std::time::UNIX_EPOCH);
    time.expect("it is behind 1970").as_secs()
}

fn build(schedule: impl Into<Schedule>) -> Builder {
    Executor::builder().seed(1).workflow(REPORT, report).schedule("s", schedule, REPORT, second)
}

/// Opens an executor over `stored`, so long after the last commit.
fn open(builder: Builder, stored: MemoryStore, outage: Duration) -> (Executor, VirtualClock) {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()) + outage);
    let executor = builder.clock(clock.clone()).open_with(Snapshots::new(stored));
    (executor.expect("a store in memory opens"), clock)
}

/// Drives an executor for so long.
fn pass(executor: &Executor, clock: &VirtualClock, time: Duration) {
    executor.block_on(clock.sleep(time));
}

/// The times of the runs that schedules started, in the order of their starts.
fn times(executor: &Executor) -> Vec<String> {
    let runs = executor.runs(&Filter::new().attribute("schedule", "s")).expect("it can be read");
    let time = |id: &str| id.strip_prefix("s@").expect("its name").to_owned();
    runs.iter().map(|run| time(&run.id)).collect()
}

/// The hours of the first day of 1970.
fn hours(hours: impl IntoIterator<Item = u32>) -> Vec<String> {
    hours
        .into_iter()
        .map(|hour| format!("1970-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24))
        .collect()
}

fn error(opened: Result<Executor>) -> Error {
    opened.expect_err("it is wrong")
}
