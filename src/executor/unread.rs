//! What is said of a value that cannot be read.

use core::fmt;

use crate::error::{Error, Kind};

/// Whoever asks has named another type than was recorded, or the file is damaged.
pub(super) fn unread(why: &dacapo_values::Error, what: fmt::Arguments<'_>) -> Error {
    match why.is_damaged() {
        true => Error::of(
            Kind::Store,
            format_args!("{what}: {why}; restore the file from a backup, then open it again"),
        ),
        false => Error::of(
            Kind::Usage,
            format_args!(
                "{what}: {why}; ask for it as the type that it was, or one that this may have become"
            ),
        ),
    }
}
