//! duroxide: SQLite beneath.
//!
//! Its provider opens a log ahead with `synchronous = WAL`, a name that SQLite does not know and
//! takes for `NORMAL`: commits are **written, not synced**, and survive the end of the process but
//! not that of the machine. A step is an activity: it is queued, taken and answered through tables,
//! which dispatchers look at every 100 ms when they found nothing. That is `duroxide`, as it ships,
//! with two dispatchers of each kind, as many as the machine has cores; with four it was slower.
//! `duroxide_1ms` has them look every millisecond: one run is faster so, but more than one are
//! slower, since the dispatchers find each other's locks and back off.
//!
//! An orchestration is run from its beginning after each step; there is no way to replay one by
//! itself, and so no row for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::duroxide::providers::sqlite::SqliteProvider;
use ::duroxide::runtime::registry::ActivityRegistry;
use ::duroxide::runtime::{Runtime, RuntimeOptions};
use ::duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry};
use futures::future::try_join_all;
use tokio::sync::Semaphore;

use super::harness::Options;
use super::harness::curve::Point;
use super::harness::latency::keep;
use super::harness::report::Report;
use super::runtime;

/// A thousand runs of five steps took from ten seconds to more than five minutes.
const SHIPPED: [(u32, u32); 3] = [(1, 20), (10, 20), (100, 10)];
const POLLED: [(u32, u32); 2] = [(1, 100), (10, 10)];

/// When each run first came to its beginning, and past each of its steps: it comes by again in each
/// of its turns.
static PASSED: Mutex<BTreeMap<u32, Vec<Instant>>> = Mutex::new(BTreeMap::new());

/// A permit for each run that passed its last step. The client could wait for each by looking again
/// and again, which with many runs is more work for SQLite than the runs are.
static ENDED: Semaphore = Semaphore::const_new(0);

fn pass(run: u32, done: u32, steps: u32) {
    let mut passed = PASSED.lock().expect("nobody panics with it");
    let passed = passed.entry(run).or_default();
    if passed.len() == done as usize {
        passed.push(Instant::now());
        ENDED.add_permits(usize::from(done == steps));
    }
}

async fn sequence(ctx: OrchestrationContext, (run, steps): (u32, u32)) -> Result<u64, String> {
    pass(run, 0, steps);
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.schedule_activity_typed::<u32, u64>("add", &n).await?;
        pass(run, n + 1, steps);
    }
    Ok(sum)
}

async fn add(_: ActivityContext, n: u32) -> Result<u64, String> {
    Ok(n.into())
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    // It logs to where the rows go, unless somebody was there first.
    let _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::new());
    let runtime = runtime();
    let mut measure = |name: &str, legend: &str, poll_ms: u64, sizes: &[(u32, u32)]| {
        report.curve(options, &format!("peer_{name}_"), legend, sizes, |size| {
            let path = options.file(&format!("{name}-{}.db", size.0));
            File::create(&path).expect("it is created");
            let url = format!("sqlite:{}", path.display());
            let poll = Duration::from_millis(poll_ms);
            Point::new(size, runtime.block_on(run_all(&url, poll, size)))
        });
    };
    measure("duroxide", "duroxide (SQLite as it ships), not synced", 100, &SHIPPED);
    measure("duroxide_1ms", "duroxide (polls each ms), not synced", 1, &POLLED);
}

/// From the start of the first of so many runs of so many steps, to the last of their steps.
async fn run_all(url: &str, poll: Duration, (runs, steps): (u32, u32)) -> Duration {
    let store = Arc::new(SqliteProvider::new(url, None).await.expect("the tables are created"));
    let activities = ActivityRegistry::builder().register_typed("add", add).build();
    let orchestrations = OrchestrationRegistry::builder();
    let orchestrations = orchestrations.register_typed("sequence", sequence).build();
    let options = RuntimeOptions { dispatcher_min_poll_interval: poll, ..Default::default() };
    let runtime =
        Runtime::start_with_options(store.clone(), activities, orchestrations, options).await;
    let client = Client::new(store);

    let start = Instant::now();
    let ids: Vec<_> = (0..runs).map(|run| format!("run-{run}")).collect();
    let starts = (0..runs)
        .zip(&ids)
        .map(|(run, id)| client.start_orchestration_typed(id, "sequence", (run, steps)));
    try_join_all(starts).await.expect("they start");
    ENDED.acquire_many(runs).await.expect("it is never closed").forget();
    let took = start.elapsed();

    for id in ids {
        let end = client.wait_for_orchestration_typed::<u64>(&id, Duration::from_secs(60)).await;
        let sum = end.expect("it ends").expect("it does not fail");
        assert_eq!(sum, u64::from(steps) * u64::from(steps - 1) / 2);
    }
    runtime.shutdown(None).await;
    let passed = mem::take(&mut *PASSED.lock().expect("nobody panics with it"));
    let steps = passed.values().flat_map(|passed| passed.windows(2));
    keep(steps.map(|step| step[1] - step[0]));
    took
}
