use core::fmt;
use core::ops::AddAssign;

/// What a [`Check`](super::Check) covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Runs from start to end in a process that did not crash.
    pub runs: u64,
    /// Processes that crashed, at a commit or by a disk.
    pub crashes: u64,
    /// Processes that were started over what another one left.
    ///
    /// They are not one for each crash, and may be more: one is also started behind a process that came to
    /// its end before the point where it was to crash, such as right before a commit that never came.
    pub restarts: u64,
    /// Replays of whole histories, each compared with the run.
    pub replays: u64,
    /// Records in the histories of the runs whose process did not crash.
    pub records: u64,
    /// Different traces among the runs that were compared.
    pub distinct_traces: u64,
    /// Crashes and errors of disks, among the crashes.
    pub storage_faults: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        self.replays += other.replays;
        self.records += other.records;
        self.distinct_traces += other.distinct_traces;
        self.storage_faults += other.storage_faults;
    }
}

/// One line of `name=value`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, crashes, restarts, replays, records, distinct_traces, storage_faults } =
            self;
        write!(
            f,
            "runs={runs} crashes={crashes} restarts={restarts} replays={replays} \
             records={records} distinct_traces={distinct_traces} storage_faults={storage_faults}"
        )
    }
}
