//! The FIFO executor beside its peers: a spawn with two polls, a yield.

use std::future::Future;
use std::time::{Duration, Instant};

use dacapo_executor::{FifoExecutor, yield_now};
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;

use super::report::{Report, median, nanos_each};

/// So many are timed together, so often.
const BATCH: u64 = 1_000;
const BATCHES: u64 = 500;

pub(crate) fn measure(report: &mut Report) {
    let fifo = FifoExecutor::new();
    report.row("executor_spawn", "ns", || {
        batches(|| {
            for _ in 0..BATCH {
                fifo.spawn(yield_now()).detach();
                fifo.run_until_stalled();
            }
        })
    });
    report.row("executor_yield", "ns", || {
        batches(|| {
            fifo.spawn(yields()).detach();
            fifo.run_until_stalled();
        })
    });
    local_pool(report);
    async_executor(report);
    local_set(report);
}

/// Nanoseconds for each of a batch, by the median batch.
fn batches(mut batch: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        batch();
        start.elapsed()
    };
    let times: Vec<Duration> = (0..BATCHES).map(time).collect();
    nanos_each(median(times), BATCH)
}

async fn yields() {
    for _ in 0..BATCH {
        yield_now().await;
    }
}

fn local_pool(report: &Report) {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    report.row("peer_local_pool_spawn", "ns", || {
        batches(|| {
            for _ in 0..BATCH {
                spawner.spawn_local(yield_now()).expect("the pool is there");
                pool.run_until_stalled();
            }
        })
    });
    report.row("peer_local_pool_yield", "ns", || {
        batches(|| {
            spawner.spawn_local(yields()).expect("the pool is there");
            pool.run_until_stalled();
        })
    });
}

fn async_executor(report: &Report) {
    let executor = async_executor::LocalExecutor::new();
    report.row("peer_async_executor_spawn", "ns", || {
        batches(|| {
            for _ in 0..BATCH {
                executor.spawn(yield_now()).detach();
                while executor.try_tick() {}
            }
        })
    });
    report.row("peer_async_executor_yield", "ns", || {
        batches(|| {
            executor.spawn(yields()).detach();
            while executor.try_tick() {}
        })
    });
}

fn local_set(report: &Report) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("tokio starts");
    let in_set = |batch: fn() -> Box<dyn Future<Output = ()> + Unpin>| {
        batches(|| tokio::task::LocalSet::new().block_on(&runtime, batch()))
    };
    report.row("peer_local_set_spawn", "ns", || {
        in_set(|| {
            Box::new(Box::pin(async {
                for _ in 0..BATCH {
                    let _ = tokio::task::spawn_local(yield_now()).await;
                }
            }))
        })
    });
    report.row("peer_local_set_yield", "ns", || {
        in_set(|| {
            Box::new(Box::pin(async {
                let _ = tokio::task::spawn_local(yields()).await;
            }))
        })
    });
}
