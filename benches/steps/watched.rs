//! What it costs an executor that somebody watches one of its runs: wherever it is asked from, its thread reads
//! what is told, so that is measured there.

use std::time::{Duration, Instant};

use dacapo_inspect::{Source, Watched};

use crate::harness::Options;
use crate::harness::report::{Report, median};
use crate::harness::single::{SEQUENCE, build};

/// Whoever watches by the socket looks so often.
const LOOKS_A_SECOND: f64 = 4.0;

/// A look tells of no more records than 200: here there are as many each time.
const STEPS: u32 = 200;

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.row("watched", "% of the executor's time", || {
        let looks = options.size(100, 1_000);
        let executor = build().in_memory();
        let _run = executor.start(SEQUENCE, "run", looks * STEPS * 2).expect("new");
        let (mut watched, mut times) = (Watched::new("run"), Vec::new());
        for _ in 0..looks {
            executor.block_on(async {
                for _ in 0..STEPS {
                    dacapo::yield_now().await;
                }
            });
            let start = Instant::now();
            let looked = watched.look(Source::new(&executor)).expect("it is there");
            times.push(start.elapsed());
            assert!(looked.last.is_none(), "it goes on");
        }
        let look: Duration = median(times);
        look.as_secs_f64() * LOOKS_A_SECOND * 100.0
    });
}
