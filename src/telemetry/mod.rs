//! Spans and figures, for whoever watches a process by other means than ours: features `tracing` and `metrics`.
//!
//! The engine says what happens by the calls of [`Telemetry`], [`StepSpans`] and [`Carried`], and by notices;
//! without a feature all of its half is empty. Nothing that is decided depends on any of it.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
mod no_meters;
#[cfg(not(feature = "tracing"))]
mod no_spans;
#[cfg(feature = "tracing")]
mod spans;

#[cfg(feature = "metrics")]
use meters::Meters;
#[cfg(not(feature = "metrics"))]
use no_meters::Meters;
#[cfg(not(feature = "tracing"))]
use no_spans::Spans;
#[cfg(feature = "tracing")]
use spans::Spans;

#[cfg(all(feature = "std", not(feature = "tracing")))]
pub(crate) use no_spans::Carried;
#[cfg(not(feature = "tracing"))]
pub(crate) use no_spans::{Entered, StepSpans};
#[cfg(feature = "tracing")]
pub(crate) use spans::{Carried, Entered, StepSpans};

use alloc::sync::Arc;

use dacapo_store::Counts;

use crate::notice::Notice;

/// What is told of all runs of an executor.
#[derive(Default)]
pub(crate) struct Telemetry {
    pub(crate) spans: Spans,
    pub(crate) meters: Meters,
}

/// What there is, from time to time.
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody counts it"))]
pub(crate) struct Figures {
    pub(crate) runs: Counts,
    pub(crate) resident: usize,
    pub(crate) ready_bodies: usize,
}

/// A run, for its span.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "it has none"))]
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) id: &'a Arc<str>,
    pub(crate) workflow: &'static str,
    pub(crate) pass: u32,
}

impl Telemetry {
    /// Whether anything is told at all in this build.
    pub(crate) const IS_ON: bool = cfg!(any(feature = "tracing", feature = "metrics"));

    /// Of runs that are rehearsed nothing is told.
    pub(crate) fn off() -> Self {
        Self { spans: Spans::off(), meters: Meters::off() }
    }

    #[inline]
    pub(crate) fn notice(&self, notice: &Notice<'_>) {
        self.meters.notice(notice);
        self.spans.notice(notice);
    }
}
