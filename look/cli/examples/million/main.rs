//! What it takes to look after a million runs: makes the files, has the program `dacapo` read them, and deletes
//! nine tenths of the runs while others go on.
//!
//! ```sh
//! cargo build --release -p dacapo-cli --bins --examples
//! target/release/examples/million FOLDER [RUNS] [looked|pruned]
//! ```
//! Files that are in the folder already are taken as they are. A million runs take some 2 GiB and a few minutes.

mod files;
mod looked;
mod pruned;
mod workflows;

use std::path::Path;

fn main() {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        eprintln!("usage: million FOLDER [RUNS]");
        std::process::exit(2);
    };
    let runs = args.next().map_or(1_000_000, |runs| runs.parse().expect("RUNS is a number"));
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder can be made");
    let files = files::make(folder, runs);
    let only = args.next();
    let wants = |part| only.as_ref().is_none_or(|only| only == part);
    if wants("looked") {
        looked::measure(&files);
    }
    if wants("pruned") {
        pruned::measure(folder, &files, runs);
    }
}
