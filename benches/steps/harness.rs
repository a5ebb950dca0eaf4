//! The command line, and all rows in their order. A root of its own takes it in by path and adds
//! rows.

pub(crate) mod curve;
mod executors;
mod file;
mod forgetful;
mod growth;
pub(crate) mod latency;
mod many;
mod plot;
mod queues;
mod raw;
pub(crate) mod report;
mod residence;
pub(crate) mod single;
mod talk;

use std::env;
use std::fs;
use std::path::PathBuf;

use report::Report;

/// What was asked for on the command line.
pub(crate) struct Options {
    pub(crate) is_quick: bool,
    directory: PathBuf,
    plot: Option<PathBuf>,
}

/// Measures all rows, with those of `peers` last.
pub(crate) fn main(peers: &[fn(&Options, &mut Report)]) {
    let (options, mut report) = parse();
    let _ = fs::remove_dir_all(&options.directory);
    fs::create_dir_all(&options.directory).expect("the directory can be created");
    growth::measure_memory(&options, &mut report);
    raw::measure(&options, &mut report);
    many::measure(&options, &mut report);
    single::measure(&options, &mut report);
    growth::measure(&options, &mut report);
    talk::measure(&options, &report);
    residence::measure(&options, &report);
    queues::measure(&options, &mut report);
    file::measure(&options, &report);
    executors::measure(&mut report);
    for measure in peers {
        measure(&options, &mut report);
    }
    raw::measure_again(&options, &mut report);
    if let Some(path) = &options.plot {
        fs::write(path, plot::svg(&report.limits, &report.curves)).expect("the plot is written");
    }
    let _ = fs::remove_dir_all(&options.directory);
}

fn parse() -> (Options, Report) {
    let mut report = Report::default();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let mut options = Options { is_quick: false, directory, plot: None };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.is_quick = true,
            "--json" => report.is_json = true,
            "--only" => report.only = args.next().expect("--only takes the beginning of a name"),
            "--dir" => options.directory = args.next().expect("--dir takes a directory").into(),
            "--plot" => options.plot = Some(args.next().expect("--plot takes a file").into()),
            // What this process asks of another one.
            "--open-sleepers" => {
                let path = args.next().expect("--open-sleepers takes a file");
                let bytes = args.next().and_then(|bytes| bytes.parse().ok());
                residence::open_here(&path, bytes.expect("and the bytes of a cache"));
                std::process::exit(0);
            }
            "--open-queued" => {
                queues::open_here(&args.next().expect("--open-queued takes a file"));
                std::process::exit(0);
            }
            "--evict-sleepers" => {
                let path = args.next().expect("--evict-sleepers takes a file");
                let runs = args.next().and_then(|runs| runs.parse().ok());
                residence::evict_here(&path, runs.expect("and how many"));
                std::process::exit(0);
            }
            // Cargo's own.
            "--bench" => {}
            other => {
                eprintln!("unknown option {other:?}; see the head of benches/steps/main.rs");
                std::process::exit(2);
            }
        }
    }
    (options, report)
}

impl Options {
    /// A path for a new file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        let _ = fs::remove_file(&path);
        path
    }

    /// The size to measure at.
    pub(crate) fn size<T>(&self, quick: T, full: T) -> T {
        if self.is_quick { quick } else { full }
    }
}
