//! What a build without the feature `metrics` has in place of figures: nothing.

use futures::future::LocalBoxFuture;

use crate::notice::Notice;

#[derive(Default)]
pub(crate) struct Meters;

#[derive(Clone, Copy)]
pub(crate) struct Began;

impl Meters {
    pub(crate) fn off() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn notice(&self, _: &Notice<'_>) {}

    #[inline]
    pub(crate) fn begin(&self) -> Began {
        Began
    }

    #[inline]
    pub(crate) fn committed(&self, _: Began, _: usize) {}

    #[inline]
    pub(crate) fn timed(&self, body: LocalBoxFuture<'static, ()>) -> LocalBoxFuture<'static, ()> {
        body
    }

    #[inline]
    pub(crate) fn gauge(&self, _: impl FnOnce() -> Option<super::Figures>) {}
}
