//! C2: a crash of the recovery from a crash.

use dacapo::sim::{Disk, DiskFault, Loss};

use super::process::{Process, Story};
use super::sweep::Sweep;

impl Sweep<'_> {
    /// Crashes at some operations, and again at every operation of the recovery.
    pub(super) fn crash_twice(&mut self, points: u64) {
        for point in 1..=points {
            let operation = self.operations * point / (points + 1) + 1;
            let (disk, first) = self.cut_off(operation, DiskFault::Crash);
            let loss = Loss::each(operation)[(point % 4) as usize];
            let found = disk.after_crash(loss);
            for again in 1..=self.recovery(&found) {
                let context = format!("crash at operation {operation}, {loss:?}");
                self.crash_recovery(&found, &first, (operation, again), &context);
            }
            self.coverage.points += 1;
        }
    }

    /// How many operations it takes until a process has opened what it found, and committed what
    /// follows from that.
    fn recovery(&self, found: &Disk) -> u64 {
        let disk = found.after_crash(Loss::Nothing);
        let (store, conditions) = self.open(&disk, 0);
        let process = Process::open(store, self.scenario.build, conditions);
        let process = process.expect("nothing fails yet");
        process.drive(1, std::future::pending::<()>());
        disk.operations()
    }

    fn crash_recovery(
        &mut self,
        found: &Disk,
        first: &Story,
        (operation, again): (u64, u64),
        context: &str,
    ) {
        let disk = found.after_crash(Loss::Nothing);
        let way = (operation + again) as usize % 5;
        let loss = *Loss::each(again).get(way).unwrap_or(&Loss::Nothing);
        let fault = if way < 4 { DiskFault::Crash } else { DiskFault::ErrorOnce };
        disk.fail(again, fault);
        let second = self.recover(&disk, operation);
        let context = format!("{context}, then {fault:?} at {again}, {loss:?}");
        self.finish(&disk.after_crash(loss), again, &[first, &second], &context);
        self.coverage.again += 1;
    }
}
