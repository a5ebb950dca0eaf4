//! What do a spawn, a yield and a wake cost, beside futures' `LocalPool`?
//!
//! `cargo bench -p dacapo-executor`

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dacapo_executor::{FifoExecutor, join_all, yield_now};
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;

/// So many operations are timed together.
const BATCH: u32 = 1_000;
const BATCHES: u32 = 1_000;

fn main() {
    row("spawn, two polls, joinable", spawn_two_polls());
    row("spawn, two polls, boxed", spawn_boxed_two_polls());
    row("spawn, two polls, LocalPool", pool_spawn_two_polls());
    row("spawn and await", spawn_await());
    row("yield", yields());
    row("yield, LocalPool", pool_yields());
    row("wake of another task", ping_pong());
    row("join_all of 1,000, per branch", joins());
}

fn row(name: &str, best: Duration) {
    println!("{name:32} {:>7.1} ns", best.as_nanos() as f64 / f64::from(BATCH));
}

/// The median batch: a shared machine makes some of them slow.
fn median(mut batch: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            let start = Instant::now();
            batch();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn spawn_two_polls() -> Duration {
    let executor = FifoExecutor::new();
    median(|| {
        for _ in 0..BATCH {
            executor.spawn(yield_now()).detach();
            executor.run_until_stalled();
        }
    })
}

fn spawn_boxed_two_polls() -> Duration {
    let executor = FifoExecutor::new();
    median(|| {
        for _ in 0..BATCH {
            black_box(executor.raw().spawn_boxed(Box::pin(yield_now())));
            executor.run_until_stalled();
        }
    })
}

fn pool_spawn_two_polls() -> Duration {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    median(|| {
        for _ in 0..BATCH {
            spawner.spawn_local(yield_now()).expect("the pool is alive");
            pool.run_until_stalled();
        }
    })
}

fn spawn_await() -> Duration {
    let executor = FifoExecutor::new();
    median(|| {
        executor.block_on(async {
            for i in 0..BATCH {
                black_box(executor.spawn(async move { i }).await);
            }
        });
    })
}

fn yields() -> Duration {
    let executor = FifoExecutor::new();
    executor.raw().spawn_boxed(Box::pin(async {
        loop {
            yield_now().await;
        }
    }));
    median(|| {
        for _ in 0..BATCH {
            executor.try_tick();
        }
    })
}

fn pool_yields() -> Duration {
    let mut pool = LocalPool::new();
    let count = Rc::new(Cell::new(0));
    median(|| {
        let count = count.clone();
        pool.run_until(async move {
            for _ in 0..BATCH {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
    })
}

/// Two tasks that wake each other over channels: one wake, one poll and one message a time.
fn ping_pong() -> Duration {
    use futures::StreamExt;
    use futures::channel::mpsc::unbounded;
    let executor = FifoExecutor::new();
    let (to_pong, mut pong) = unbounded();
    let (to_ping, mut ping) = unbounded();
    executor.raw().spawn_boxed(Box::pin(async move {
        while pong.next().await.is_some() {
            if to_ping.unbounded_send(()).is_err() {
                break;
            }
        }
    }));
    median(|| {
        executor.block_on(async {
            for _ in 0..BATCH / 2 {
                to_pong.unbounded_send(()).expect("pong is alive");
                ping.next().await;
            }
        });
    })
}

fn joins() -> Duration {
    let executor = FifoExecutor::new();
    median(|| {
        black_box(executor.block_on(join_all((0..BATCH).map(|_| yield_now()))));
    })
}
