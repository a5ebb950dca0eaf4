//! What it costs an executor that somebody watches one of its runs.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dacapo_control::{Client, Control, Reached};

use crate::harness::Options;
use crate::harness::report::{Report, median};
use crate::harness::single::{SEQUENCE, build};

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.row("watched", "% more time", || {
        let steps = options.size(400_000, 1_000_000);
        let socket = options.file("watched.sock");
        let (mut alone, mut watched) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            alone.push(run(&socket, steps, false));
            watched.push(run(&socket, steps, true));
        }
        let (alone, watched) = (median(alone), median(watched));
        (watched.as_secs_f64() / alone.as_secs_f64() - 1.0) * 100.0
    });
}

/// How long a run of so many steps takes in memory, and how long if it is watched.
fn run(socket: &Path, steps: u32, is_watched: bool) -> Duration {
    let executor = build().in_memory();
    Control::at(socket).serve(&executor).expect("it is served");
    let (watches, watching) = mpsc::channel();
    let watch = || {
        let Ok(Reached::Live(client)) = Client::reach(socket) else { unreachable!("it is served") };
        let mut lines = client.watch(Some("run")).expect("it is there");
        lines.next().expect("it is told how it stands").expect("it is told");
        watches.send(()).expect("it is waited for");
        assert!(lines.count() > 0);
    };
    thread::scope(|scope| {
        let run = executor.start(SEQUENCE, "run", steps).expect("new");
        executor.block_on(run.accepted()).expect("it is there");
        let watch = is_watched.then(|| scope.spawn(watch));
        while watch.is_some() && watching.try_recv().is_err() {
            executor.block_on(dacapo::yield_now());
        }
        // Both have done some steps by now, and few of all.
        let start = Instant::now();
        executor.block_on(run).expect("it ends");
        let took = start.elapsed();
        while watch.as_ref().is_some_and(|watch| !watch.is_finished()) {
            executor.block_on(dacapo::yield_now());
        }
        took
    })
}
