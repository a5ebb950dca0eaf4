//! What durable steps cost, beside the raw limits of the same moment on the same machine.
//!
//! `cargo bench --bench steps -- [--quick] [--json] [--only PREFIX] [--dir DIRECTORY] [--plot FILE]`
//!
//! `--quick` takes at most a minute; without it, the rows that need much memory or many records are
//! measured at full size. `--json` prints an object a line. `--only` measures the rows whose names
//! begin so. Files are written below `--dir` (by default the target folder), which decides which
//! disk is measured. `--plot` draws throughput and latency over the number of concurrent runs, as
//! SVG.
//!
//! The same beside other engines: `cargo bench --manifest-path benches/peers/Cargo.toml --bench
//! steps`, with the same options. They are a workspace of their own, which users never build.

#[path = "harness.rs"]
mod harness;
#[path = "verified.rs"]
mod verified;
#[path = "watched.rs"]
mod watched;

fn main() {
    harness::main(&[watched::measure, verified::measure]);
}
