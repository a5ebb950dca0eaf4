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
    WorkflowOptions, WorkflowQueue,
};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Runtime;

use super::harness::Options;
use super::harness::curve::Point;
use super::harness::latency::Stopwatch;
use super::harness::report::{Report, per_second};
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
    queues(options, &runtime, report);
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

/// As benches/steps/queues.rs has it: runs of one step, put into a queue and then taken out. It asks for work a
/// hundred times a second, and for a thousand at once: by default it is once, and for a hundred.
fn queues(options: &Options, runtime: &Runtime, report: &Report) {
    if !report.wants("peer_durare_queue") {
        return;
    }
    let runs = options.size(500, 20_000);
    let file = |kind| options.file(&format!("durare-queue-{kind}.db"));
    let providers = [
        ("sqlite", runtime.block_on(as_shipped(&file("shipped")))),
        ("sqlite_full", runtime.block_on(full(&file("full")))),
    ];
    for (kind, provider) in providers {
        let (put, done) = runtime.block_on(through_queue(provider, runs));
        let print = |what, took| {
            let row = format!("peer_durare_queue_{kind}_{what}");
            report.print(&row, per_second(took, runs.into()), "runs/s");
        };
        print("enqueue", put);
        print("done", done);
    }
}

async fn through_queue(provider: Arc<dyn StateProvider>, runs: u32) -> (Duration, Duration) {
    const AT_ONCE: usize = 1_000;
    let mut builder = DurableEngine::builder(provider);
    builder.register("sequence", sequence);
    let queue = WorkflowQueue::new("line").worker_concurrency(AT_ONCE);
    let queue = queue.max_tasks_per_iteration(AT_ONCE);
    builder.register_queue(queue.base_polling_interval(Duration::from_millis(10)));
    let engine = builder.build().await.expect("the tables are created");
    let start_time = Instant::now();
    let put = (0..runs).map(|run| {
        let options = WorkflowOptions::with_id(format!("run-{run}")).queue("line");
        engine.start::<_, u64>("sequence", 1_u32, options)
    });
    let put: Vec<_> = stream::iter(put).buffer_unordered(AT_ONCE).try_collect().await.expect("new");
    let took = start_time.elapsed();
    let start_time = Instant::now();
    engine.launch().await.expect("it begins to ask");
    try_join_all(put.into_iter().map(IntoFuture::into_future)).await.expect("they end");
    (took, start_time.elapsed())
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
