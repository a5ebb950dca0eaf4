//! durare: SQLite beneath, or memory.
//!
//! - `durare_sqlite` is what ships (`SqliteProvider::connect`): a log ahead with `synchronous =
//!   NORMAL`. A step's commit is **written, not synced**, before its outcome is used: it survives
//!   the end of the process, and is lost with the power.
//! - `durare_sqlite_full` has the same settings but `synchronous = FULL`, over a pool of our own, as
//!   its guide to operations has it: **synced before its outcome is used**.
//! - `durare_memory` keeps nothing beyond the process.
//!
//! A checkpoint is an insertion and an update that seldom finds something to do, each a transaction.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::durare::{
    DurableContext, DurableEngine, Error, InMemoryProvider, Result, SqliteProvider, StateProvider,
    WorkflowOptions,
};
use futures::future::try_join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Runtime;

use super::harness::Options;
use super::harness::curve::Point;
use super::harness::latency::Stopwatch;
use super::harness::report::Report;
use super::{replayed, runtime};

const ON_DISK: [(u32, u32); 5] = [(1, 500), (10, 50), (100, 20), (1_000, 10), (10_000, 5)];
const IN_MEMORY: [(u32, u32); 5] = [(1, 2_000), (10, 1_000), (100, 200), (1_000, 50), (10_000, 10)];

async fn sequence(ctx: DurableContext, steps: u32) -> Result<u64> {
    let mut stopwatch = Stopwatch::start();
    let mut sum = 0;
    for n in 0..steps {
        sum += ctx.step("add", move || async move { Ok::<_, Error>(u64::from(n)) }).await?;
        stopwatch.lap();
    }
    Ok(sum)
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    let runtime = runtime();
    let file = |size: (u32, u32), kind| options.file(&format!("durare-{kind}-{}.db", size.0));
    let legend = "durare (SQLite as it ships), not synced";
    report.curve(options, "peer_durare_sqlite_", legend, &ON_DISK, |size| {
        let provider = runtime.block_on(as_shipped(&file(size, "shipped")));
        Point::new(size, run_all(&runtime, provider, size))
    });
    let legend = "durare (SQLite, FULL), synced";
    report.curve(options, "peer_durare_sqlite_full_", legend, &ON_DISK, |size| {
        let provider = runtime.block_on(full(&file(size, "full")));
        Point::new(size, run_all(&runtime, provider, size))
    });
    report.curve(options, "peer_durare_memory_", "durare (memory), not kept", &IN_MEMORY, |size| {
        Point::new(size, run_all(&runtime, Arc::new(InMemoryProvider::new()), size))
    });
    report.row("peer_durare_sqlite_replay", "records/s", || {
        let provider = runtime.block_on(as_shipped(&file((0, 0), "replay")));
        let steps = options.size(2_000, 10_000);
        replayed(replay(&runtime, provider, steps), steps)
    });
    report.row("peer_durare_memory_replay", "records/s", || {
        let steps = options.size(20_000, 200_000);
        replayed(replay(&runtime, Arc::new(InMemoryProvider::new()), steps), steps)
    });
}

async fn as_shipped(path: &Path) -> Arc<dyn StateProvider> {
    let url = format!("sqlite://{}", path.display());
    Arc::new(SqliteProvider::connect(&url).await.expect("it is created"))
}

async fn full(path: &Path) -> Arc<dyn StateProvider> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    // As many as it opens itself; fewer were slower with many runs.
    let pool = SqlitePoolOptions::new().max_connections(5).connect_with(options).await;
    Arc::new(SqliteProvider::from_pool(pool.expect("it is created")))
}

async fn engine(provider: Arc<dyn StateProvider>) -> DurableEngine {
    let mut builder = DurableEngine::builder(provider);
    builder.register("sequence", sequence);
    builder.build().await.expect("the tables are created")
}

async fn start(engine: &DurableEngine, run: u32, steps: u32) -> Result<u64> {
    let options = WorkflowOptions::with_id(format!("run-{run}"));
    engine.start("sequence", steps, options).await?.await
}

/// From the start of the first of so many runs of so many steps, to the end of the last.
fn run_all(
    runtime: &Runtime,
    provider: Arc<dyn StateProvider>,
    (runs, steps): (u32, u32),
) -> Duration {
    runtime.block_on(async {
        let engine = engine(provider).await;
        let start_time = Instant::now();
        let runs = (0..runs).map(|run| start(&engine, run, steps));
        try_join_all(runs).await.expect("they end");
        start_time.elapsed()
    })
}

/// `verify_replay`, which runs nothing and writes nothing, as is ours.
fn replay(runtime: &Runtime, provider: Arc<dyn StateProvider>, steps: u32) -> Duration {
    runtime.block_on(async {
        let engine = engine(provider).await;
        start(&engine, 0, steps).await.expect("it ends");
        let start_time = Instant::now();
        let report = engine.verify_replay("run-0").await.expect("it is there");
        assert!(report.passes());
        start_time.elapsed()
    })
}
