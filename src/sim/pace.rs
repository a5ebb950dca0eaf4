//! At which pace a history is replayed. What decides by real time decides otherwise at another one.

use core::time::Duration;
use std::thread;

/// Before which deliveries of a replay real time passes.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Pace {
    /// Before each delivery whose seq is a multiple of it; 0: before none.
    every: u64,
}

/// Libraries that look at the clock to be fair let those go first who have waited for half a millisecond.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// Tests are to stay fast, so there are not many pauses.
const MOST_PAUSES: u64 = 64;

impl Pace {
    /// A pause before each delivery, or of so many records only before some, anywhere among them.
    pub(super) fn slow(records: usize) -> Self {
        Self { every: 1 + records as u64 / MOST_PAUSES }
    }

    /// Real time passes, or not.
    pub(super) fn pause(self, seq: u64) {
        if seq.checked_rem(self.every) == Some(0) {
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_deliveries_are_all_slow_and_many_are_not() {
        let every = |records| Pace::slow(records).every;
        assert_eq!((every(0), every(63), every(64), every(1_000)), (1, 1, 2, 16));
        assert_eq!(Pace::default().every, 0);
    }
}
