//! Runs that wait in a queue: put there, admitted and done, and as many as a file has.

use std::time::{Duration, Instant};

use dacapo::{Builder, Executor, Limits, Queue, Start};
use futures::StreamExt;

use super::Options;
use super::growth::resident_bytes;
use super::report::{Report, per_second};
use super::residence::elsewhere;
use super::single::SEQUENCE;

const LINE: Queue = Queue::new("line");

fn build() -> Builder {
    super::single::build().queue(LINE, Limits::new().concurrency(1_000))
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    if report.wants("queue_enqueue") {
        // As many as durare's, and as many as take the file's journal several times.
        through(options, report, options.size(2_000, 20_000), "");
        through(options, report, options.size(20_000, 200_000), "_of_many");
    }
    if report.wants("queue_waiting") {
        waiting(options, report);
    }
}

/// Each run has one step. A run counts as put there when that is synced, and as done when its end is.
fn through(options: &Options, report: &Report, runs: u32, many: &str) {
    let executor = build().open(options.file(&format!("queue{many}.redb"))).expect("it is created");
    executor.block_on(executor.pause_queue(LINE)).expect("it is defined");
    let start = Instant::now();
    put(&executor, runs);
    report.print(
        &format!("queue_enqueue{many}"),
        per_second(start.elapsed(), runs.into()),
        "runs/s",
    );
    let last = executor.attach(SEQUENCE, &(runs - 1).to_string()).expect("it waits");
    let start = Instant::now();
    executor.block_on(async {
        executor.resume_queue(LINE).await.expect("it is defined");
        last.await.expect("it ends");
    });
    report.print(&format!("queue_done{many}"), per_second(start.elapsed(), runs.into()), "runs/s");
}

/// A process that finds them: what it takes for each, and until it goes on.
fn waiting(options: &Options, report: &Report) {
    let runs = options.size(100_000, 1_000_000);
    let path = options.file("waiting.redb");
    let executor = build().open(&path).expect("it is created");
    executor.block_on(async {
        executor.pause_queue(LINE).await.expect("it is defined");
    });
    put(&executor, runs);
    // With nothing to do for a second, it folds what it wrote.
    executor.block_on(async {
        smol::Timer::after(Duration::from_millis(1_500)).await;
    });
    drop(executor);
    let [open, bytes, first] = elsewhere("--open-queued", &path, runs as usize);
    report.print("queue_waiting_open", open, "s");
    report.print("queue_waiting_bytes_per_run", bytes / f64::from(runs), "bytes");
    report.print("queue_waiting_first_admission", first, "s");
}

/// What [`waiting`] asks for.
pub(crate) fn open_here(path: &str) {
    let (start, before) = (Instant::now(), resident_bytes());
    let store = dacapo::store::Options::new().cache_bytes(1 << 20).open(path).expect("it is there");
    let executor = build().open_with(store).expect("it opens");
    let open = start.elapsed().as_secs_f64();
    let bytes = resident_bytes() - before;
    let run = executor.attach(SEQUENCE, "0").expect("it waits");
    let start = Instant::now();
    executor.block_on(async {
        executor.resume_queue(LINE).await.expect("it is defined");
        run.await.expect("it ends");
    });
    println!("{open} {bytes} {}", start.elapsed().as_secs_f64());
}

fn put(executor: &Executor, runs: u32) {
    let all = (0..runs).map(|n| (n.to_string(), 1, Start::new().queue(LINE)));
    executor.block_on(async {
        let mut started = executor.start_all(SEQUENCE, all);
        while let Some(run) = started.next().await {
            drop(run.expect("it is new"));
        }
    });
}
