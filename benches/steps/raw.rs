//! The raw limits: what the disk and redb take for the same bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use redb::{Database, TableDefinition};

use super::Options;
use super::report::{Report, median, micros, per_second};

const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");

/// A record as the design counts it.
const RECORD_BYTES: usize = 120;
/// Records of one packed commit.
const PACKED: usize = 10_000;

/// What no engine on this disk can do better, where it was measured.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) fdatasync_us: Option<f64>,
    pub(crate) packed_per_second: Option<f64>,
}

pub(crate) fn measure(options: &Options, report: &mut Report) {
    report.limits.fdatasync_us = report.row("fdatasync", "us", || fdatasync(options));
    report.row("redb_one_row_commit", "us", || one_row_commit(options));
    report.limits.packed_per_second =
        report.row("packed_journal", "records/s", || packed_journal(options));
}

/// At the end of all, since the disk of a shared machine is not as fast at every moment.
pub(crate) fn measure_again(options: &Options, report: &mut Report) {
    report.row("fdatasync_again", "us", || fdatasync(options));
}

fn fdatasync(options: &Options) -> f64 {
    let file = File::create(options.file("fdatasync")).expect("the file can be created");
    let page = [7; 4096];
    file.write_all_at(&vec![0; 1 << 22], 0).expect("the disk has room");
    file.sync_all().expect("the disk syncs");
    let once = |index: u64| {
        let start = Instant::now();
        file.write_all_at(&page, index % 1024 * 4096).expect("the disk writes");
        file.sync_data().expect("the disk syncs");
        start.elapsed()
    };
    micros(median((0..options.size(500, 2_000)).map(once).collect()))
}

/// Appends a row of `bytes` bytes in a commit of its own.
fn append(database: &Database, key: u64, row: &[u8]) {
    let write = database.begin_write().expect("redb writes");
    write.open_table(JOURNAL).expect("the table opens").insert(key, row).expect("redb writes");
    write.commit().expect("redb commits");
}

fn one_row_commit(options: &Options) -> f64 {
    let database = Database::create(options.file("one-row.redb")).expect("redb creates");
    let row = [7; RECORD_BYTES];
    let once = |key| {
        let start = Instant::now();
        append(&database, key, &row);
        start.elapsed()
    };
    micros(median((0..options.size(500, 2_000)).map(once).collect()))
}

fn packed_journal(options: &Options) -> f64 {
    let database = Database::create(options.file("packed.redb")).expect("redb creates");
    let row = vec![7; RECORD_BYTES * PACKED];
    let commits = options.size(50, 200);
    let start = Instant::now();
    for key in 0..commits {
        append(&database, key, &row);
    }
    per_second(start.elapsed(), commits * PACKED as u64)
}
