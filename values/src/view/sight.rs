//! How much of a value is seen.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::cell::Cell;

use super::View;
use crate::error::Result;
use crate::read::Reader;

/// What is seen of a value, and what was seen so far.
pub(crate) struct Sight {
    pub(super) hides_secrets: bool,
    /// What the reader has before it when enough was seen.
    until: usize,
    /// Whether something was left out.
    has_left: Cell<bool>,
}

impl Sight {
    /// All of it, secrets too: nobody looks at it.
    pub(crate) const ALL: fn() -> Self =
        || Self { hides_secrets: false, until: 0, has_left: Cell::new(false) };

    /// About so many bytes of what `reader` is about to read, and no secrets.
    pub(crate) fn within(bytes: usize, reader: &Reader<'_, '_>) -> Self {
        let until = reader.left().saturating_sub(bytes);
        Self { hides_secrets: true, until, has_left: Cell::new(false) }
    }

    /// Whether all of it was seen.
    pub(crate) fn is_whole(&self) -> bool {
        !self.has_left.get()
    }

    /// Whether enough was seen, and what follows is left out.
    pub(super) fn ends(&self, reader: &Reader<'_, '_>) -> bool {
        let ends = self.has_left.get() || self.until > 0 && reader.left() <= self.until;
        self.has_left.set(ends);
        ends
    }

    pub(super) fn text(&self, reader: &mut Reader<'_, '_>) -> Result<View> {
        let text = reader.text()?;
        let kept = self.kept(text.len(), reader);
        if kept == text.len() {
            return Ok(View::Text(text.to_owned()));
        }
        let end = (0..=kept).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        Ok(View::Text(String::from(&text[..end]) + "…"))
    }

    pub(super) fn bytes(&self, reader: &mut Reader<'_, '_>) -> Result<View> {
        let bytes = reader.bytes()?;
        Ok(View::Bytes(bytes[..self.kept(bytes.len(), reader)].to_owned()))
    }

    /// How many of `length` bytes are kept that `reader` has just read.
    fn kept(&self, length: usize, reader: &Reader<'_, '_>) -> usize {
        let over = self.until.saturating_sub(reader.left());
        if over > 0 {
            self.has_left.set(true);
        }
        length.saturating_sub(over)
    }
}
