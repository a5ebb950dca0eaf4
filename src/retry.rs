//! When a body that failed is tried again.

use core::time::Duration;

use crate::random;

/// How often a step is tried, and how long it waits in between.
///
/// Every value is `const`, so a policy can stand beside the names it is used with. Attempts count
/// from 1, over restarts: those that failed are recorded if the next one waits for a second or longer
/// ([`Builder::record_retries`](crate::Builder::record_retries)), and the wait goes on where it was; those
/// that the end of a process interrupted count. A process that crashes again and again uses up the
/// attempts of all steps that are under way, so a step that must survive that gets no limit of
/// attempts.
///
/// ```
/// use std::time::Duration;
/// use dacapo::Retry;
///
/// const PATIENT: Retry = Retry::exponential(Duration::from_secs(1))
///     .max_attempts(8)
///     .max_delay(Duration::from_secs(60))
///     .jitter(0.2);
/// assert_ne!(PATIENT, Retry::never());
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Retry {
    base: Duration,
    max_attempts: u32,
    max_delay: Duration,
    jitter: f32,
}

impl Retry {
    /// How many attempts the end of the process may interrupt before a step without a policy of
    /// its own parks its run, so that a body that kills the process does not do so for ever. Each
    /// [`Executor::resume`](crate::Executor::resume) makes one more.
    pub const INTERRUPTED_ATTEMPTS: u32 = 10;

    /// One attempt: the first failure is the outcome. This is what a step does without a policy.
    ///
    /// An attempt that the end of the process interrupted is still made again after a restart, up to
    /// [`INTERRUPTED_ATTEMPTS`](Self::INTERRUPTED_ATTEMPTS) times;
    /// [`at_most_once`](crate::Step::at_most_once) is for bodies that must not be.
    #[must_use]
    pub const fn never() -> Self {
        let max_delay = Duration::ZERO;
        Self { base: Duration::ZERO, max_attempts: 1, max_delay, jitter: 0.0 }
    }

    /// Waits `base` after the first failure and twice as long after each further one, without a
    /// limit of attempts, an hour at most, and without jitter.
    #[must_use]
    pub const fn exponential(base: Duration) -> Self {
        let max_delay = Duration::from_secs(3600);
        Self { base, max_attempts: u32::MAX, max_delay, jitter: 0.0 }
    }

    /// Gives up after `attempts` attempts, the first included.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) if `attempts` is 0.
    #[must_use]
    pub const fn max_attempts(self, attempts: u32) -> Self {
        assert!(attempts > 0, "a step is tried at least once");
        Self { max_attempts: attempts, ..self }
    }

    /// Waits no longer than `delay` between two attempts, jitter aside.
    #[must_use]
    pub const fn max_delay(self, delay: Duration) -> Self {
        Self { max_delay: delay, ..self }
    }

    /// Makes each wait longer by a random part of it, up to `fraction`, so that steps that failed
    /// together are not tried again together. The part comes from the run's seed.
    ///
    /// # Panics
    ///
    /// Panics (at compile time, in a `const`) unless `fraction` is from 0 to 1.
    #[must_use]
    pub const fn jitter(self, fraction: f32) -> Self {
        assert!(fraction >= 0.0 && fraction <= 1.0, "jitter is a fraction from 0 to 1");
        Self { jitter: fraction, ..self }
    }

    /// How long to wait after attempt `attempt` failed; `None`: that was the last.
    pub(crate) fn delay_after(&self, attempt: u32, seed: u64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(63);
        let nanos = self.base.as_nanos().saturating_mul(1 << doublings);
        let nanos = nanos.min(self.max_delay.as_nanos());
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let part = random::fraction(random::mix(seed, u64::from(attempt)));
        let extra = (nanos as f64 * f64::from(self.jitter) * part) as u64;
        Some(Duration::from_nanos(nanos.saturating_add(extra)))
    }

    /// How many attempts there are at most; `None`: there is no limit.
    pub(crate) fn limit(&self) -> Option<u32> {
        Some(self.max_attempts).filter(|&attempts| attempts < u32::MAX)
    }

    /// How many attempts there are at most, if the end of a process interrupts the last of them.
    pub(crate) fn max_interrupted(&self) -> u32 {
        if *self == Self::never() { Self::INTERRUPTED_ATTEMPTS } else { self.max_attempts }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_cap_and_end_with_the_attempts() {
        let retry = Retry::exponential(SECOND).max_delay(5 * SECOND).max_attempts(5);
        let delays: Vec<_> = (1..=5).map(|attempt| retry.delay_after(attempt, 0)).collect();
        let seconds = |n: u32| Some(n * SECOND);
        assert_eq!(delays, [seconds(1), seconds(2), seconds(4), seconds(5), None]);
        assert_eq!(Retry::never().delay_after(1, 0), None);
    }

    #[test]
    fn no_attempt_number_overflows() {
        let retry = Retry::exponential(Duration::MAX).max_delay(Duration::MAX).jitter(1.0);
        assert!(retry.delay_after(u32::MAX - 1, 7) >= Some(Duration::from_nanos(u64::MAX)));
        assert_eq!(retry.delay_after(u32::MAX, 7), None);
    }

    #[test]
    fn jitter_is_a_function_of_seed_and_attempt() {
        let retry = Retry::exponential(SECOND).jitter(0.5);
        let delay = |seed| retry.delay_after(1, seed).expect("unlimited attempts");
        assert_eq!(delay(1), delay(1));
        assert_ne!(delay(1), delay(2));
        let within = |seed| (SECOND..SECOND * 3 / 2).contains(&delay(seed));
        assert!((0..100).all(within));
    }
}
