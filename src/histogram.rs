//! How long things took, in few bytes.

use alloc::boxed::Box;
use core::time::Duration;

/// Each doubling of time has so many buckets: what is told is no more than an eighth too long.
const PER_DOUBLING: u32 = 8;
/// What takes less than 2 to this power nanoseconds is in the first bucket.
const SHORTEST: u32 = 10;
/// What takes longer than a minute is in the last one.
const DOUBLINGS: u32 = 26;

const BUCKETS: usize = (DOUBLINGS * PER_DOUBLING) as usize;

/// Counts by buckets whose width grows with the time.
#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0 }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, took: Duration) {
        let bucket = &mut self.buckets[bucket(took)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (sum, more) in self.buckets.iter_mut().zip(&*other.buckets) {
            *sum = sum.saturating_add(*more);
        }
        self.count += other.count;
    }

    pub(crate) fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// So many of a hundred took no longer than this; `None` if there are none.
    pub(crate) fn percentile(&self, hundredths: u64) -> Option<Duration> {
        let wanted = (self.count * hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = |count: &u32| {
            seen += u64::from(*count);
            seen >= wanted
        };
        self.buckets.iter().position(reaches).map(end)
    }
}

fn bucket(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1 << SHORTEST);
    let doubling = nanos.ilog2();
    // The three bits below the highest one.
    let part = (nanos >> (doubling - PER_DOUBLING.ilog2())) as u32 % PER_DOUBLING;
    (((doubling - SHORTEST) * PER_DOUBLING + part) as usize).min(BUCKETS - 1)
}

/// Where a bucket ends.
fn end(bucket: usize) -> Duration {
    let (doubling, part) = (bucket as u32 / PER_DOUBLING, bucket as u32 % PER_DOUBLING);
    let unit = 1_u64 << (SHORTEST + doubling - PER_DOUBLING.ilog2());
    Duration::from_nanos(unit * u64::from(PER_DOUBLING + part + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a microsecond to a minute nothing is told as shorter than it was, nor as more than an eighth longer.
    #[test]
    fn a_time_is_told_to_an_eighth() {
        let mut nanos = 1 << SHORTEST;
        while nanos < 60_000_000_000 {
            let (took, mut histogram) = (Duration::from_nanos(nanos), Histogram::default());
            histogram.add(took);
            let told = histogram.percentile(50).expect("there is one");
            assert!(
                took < told && told <= took + took / 8 + Duration::from_nanos(1),
                "{took:?}: {told:?}"
            );
            nanos += nanos / 7;
        }
        for far in [Duration::ZERO, Duration::MAX] {
            assert!(bucket(far) < BUCKETS);
        }
    }

    #[test]
    fn percentiles_are_those_of_all() {
        let (mut some, mut all) = (Histogram::default(), Histogram::default());
        assert_eq!(all.percentile(50), None);
        for micros in 1..=98 {
            some.add(Duration::from_micros(micros));
        }
        all.add(Duration::from_secs(1));
        all.add(Duration::from_secs(2));
        all.add_all(&some);
        assert_eq!(all.count(), 100);
        let told = |hundredths| all.percentile(hundredths).expect("there are some");
        let between = |told, from: u64, to: u64| {
            assert!(
                (Duration::from_micros(from)..Duration::from_micros(to)).contains(&told),
                "{told:?}"
            );
        };
        between(told(0), 1, 3);
        between(told(50), 50, 57);
        between(told(98), 98, 111);
        between(told(99), 1_000_000, 1_125_001);
        between(told(100), 2_000_000, 2_250_001);
        all.clear();
        assert_eq!((all.count(), all.percentile(99)), (0, None));
    }
}
