//! What a build without the feature `tracing` has in place of spans: nothing.

use alloc::sync::Arc;

use super::Who;
use crate::error::Failure;
use crate::notice::Notice;
use crate::record::Number;

#[derive(Default)]
pub(crate) struct Spans;

pub(crate) struct Entered;

#[derive(Clone, Copy, Default)]
pub(crate) struct StepSpans;

#[cfg(feature = "std")]
#[derive(Clone, Copy)]
pub(crate) struct Carried;

impl Spans {
    pub(crate) fn off() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn enter_run(&self, _: Who<'_>) -> Entered {
        Entered
    }

    #[inline]
    pub(crate) fn enter_replay(&self, _: Who<'_>) -> Entered {
        Entered
    }

    #[inline]
    pub(crate) fn replayed(&self, _: Who<'_>, _: u64) {}

    #[inline]
    pub(crate) fn leave(&self, _: &Arc<str>) {}

    #[inline]
    pub(crate) fn notice(&self, _: &Notice<'_>) {}
}

impl StepSpans {
    #[inline]
    pub(crate) fn begin(self, _: &Spans, _: Who<'_>, _: (Number, &str, Option<&str>), _: u32) {}

    #[inline]
    pub(crate) fn enter(self) -> Entered {
        Entered
    }

    #[inline]
    pub(crate) fn end_attempt(self, _: Option<&Failure>) {}

    #[inline]
    pub(crate) fn end(self, _: Option<&Failure>) {}
}

#[cfg(feature = "std")]
impl Carried {
    #[inline]
    pub(crate) fn here() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }
}
