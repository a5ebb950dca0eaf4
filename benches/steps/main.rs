//! What durable steps cost, beside the raw limits of the same moment on the same machine.
//!
//! `cargo bench --bench steps -- [--quick] [--json] [--only PREFIX] [--dir DIRECTORY]`
//!
//! `--quick` takes at most a minute; without it, the rows that need much memory or many records are
//! measured at full size. `--json` prints an object a line. `--only` measures the rows whose names
//! begin so. Files are written below `--dir` (by default the target folder), which decides which
//! disk is measured. The peers need `--features bench-peers`.

mod executors;
mod forgetful;
mod growth;
mod many;
mod raw;
mod report;
mod single;

use std::path::PathBuf;

use report::Report;

/// What was asked for on the command line.
struct Options {
    is_quick: bool,
    directory: PathBuf,
}

fn main() {
    let mut report = Report::default();
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let mut options = Options { is_quick: false, directory };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => options.is_quick = true,
            "--json" => report.is_json = true,
            "--only" => report.only = args.next().expect("--only takes the beginning of a name"),
            "--dir" => options.directory = args.next().expect("--dir takes a directory").into(),
            // Cargo's own.
            "--bench" => {}
            other => {
                eprintln!("unknown option {other:?}; see the head of benches/steps/main.rs");
                std::process::exit(2);
            }
        }
    }
    let _ = std::fs::remove_dir_all(&options.directory);
    std::fs::create_dir_all(&options.directory).expect("the directory can be created");
    raw::measure(&options, &mut report);
    single::measure(&options, &mut report);
    many::measure(&options, &mut report);
    growth::measure(&options, &mut report);
    executors::measure(&mut report);
    let _ = std::fs::remove_dir_all(&options.directory);
}

impl Options {
    /// A path for a new file.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.directory.join(name);
        let _ = std::fs::remove_file(&path);
        path
    }

    /// The size to measure at.
    fn size<T>(&self, quick: T, full: T) -> T {
        if self.is_quick { quick } else { full }
    }
}
