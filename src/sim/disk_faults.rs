//! Simulations over a disk that crashes or fails at every operation.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::plan::Plan;
use super::storage::Storage;
use super::story::Story;
use super::{Disk, DiskFault, Loss};
use crate::random;
use crate::values::Value;

/// A journal that is folded at every second commit or so, and one that never is.
const FOLD_BYTES: [usize; 2] = [400, 32 << 20];

impl<I: Value + Clone, O: Value> Plan<'_, I, O> {
    /// A crash or an error at every operation on the disk.
    pub(super) fn disk_faults(&self) -> Result<(), String> {
        let fold_bytes = FOLD_BYTES[self.seed as usize % FOLD_BYTES.len()];
        let on = |disk| Storage::Disk { disk, fold_bytes };
        // What fails while a file is made is no concern of workflows.
        let made = Disk::default();
        let opened = on(made.clone()).open().map_err(|error| format!("a new file: {error}"))?;
        drop(opened);
        let disk = Disk::new(made.bytes());
        let mut story = Story::new(self, on(disk.clone()));
        self.finish(&mut story, self.seed, Duration::ZERO)
            .map_err(|why| format!("on a disk: {why}"))?;
        for operation in 1..=disk.operations() {
            self.disk_fault(Disk::new(made.bytes()), operation, &on)?;
        }
        Ok(())
    }

    /// A fault at one operation, sometimes another in the recovery, and a process that goes on.
    fn disk_fault(
        &self,
        mut disk: Disk,
        operation: u64,
        on: &dyn Fn(Disk) -> Storage,
    ) -> Result<(), String> {
        let mut story = Story::new(self, on(disk.clone()));
        let (mut seed, mut at) = (self.seed, operation);
        let mut faults = String::new();
        loop {
            let way = random::mix(seed ^ operation, 0);
            let (fault, loss) = fault(way);
            disk.fail(at, fault);
            faults = format!("{faults}{fault:?} at operation {at} of the disk, {loss:?}, ");
            let within = |why| format!("{faults}and: {why}");
            let is_at_its_end = story.live(seed, Duration::ZERO).map_err(within)?;
            self.count(|report| {
                report.crashes += u64::from(!is_at_its_end);
                report.storage_faults += u64::from(disk.operations() >= at);
            });
            disk = disk.after_crash(loss);
            story.storage = on(disk.clone());
            (seed, at) = (way, 1 + (way >> 32) % 24);
            if !way.is_multiple_of(4) {
                break;
            }
        }
        let finished = self.finish(&mut story, seed, self.outage(operation));
        finished.map_err(|why| format!("{faults}and then: {why}"))?;
        self.count(|report| report.restarts += 1);
        Ok(())
    }
}

fn fault(way: u64) -> (DiskFault, Loss) {
    match (way >> 16) as usize % 6 {
        4 => (DiskFault::ErrorOnce, Loss::Nothing),
        5 => (DiskFault::ErrorFrom, Loss::Nothing),
        loss => (DiskFault::Crash, Loss::each(way)[loss]),
    }
}
