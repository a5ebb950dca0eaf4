//! Runs looked through for a text, without their values being shown.

use alloc::format;
use core::fmt::{self, Write};

use dacapo_store::{Entry, RunKey};
use dacapo_values::Leaf;

use super::Engine;
use crate::bytes::contains;
use crate::error::{Error, Result};
use crate::record::Record;

impl Engine {
    /// Whether one of the first `most` records of a run, or its last one, has an input or an output that may show
    /// this text. What cannot be read may show anything, and so may the end of a run that failed: more is said of
    /// it than was recorded.
    ///
    /// # Errors
    ///
    /// If the storage refuses.
    pub(crate) fn ends_hold(&self, run: RunKey, most: u64, text: &Sought<'_>) -> Result<bool> {
        let holds = |entry: Entry<'_>| self.holds(entry, text);
        let store = self.store.borrow();
        let read = store.entries(run, 0..most).and_then(|first| {
            if first.iter().any(holds) {
                return Ok(true);
            }
            if (first.len() as u64) < most {
                return Ok(false);
            }
            // What it begins with may have been replaced behind these.
            Ok(!first.iter().any(begins) || store.last(run)?.iter().any(holds))
        });
        match read {
            Err(error) if error.is_refused() => Err(Error::store(&error)),
            read => Ok(read.unwrap_or(true)),
        }
    }

    fn holds(&self, entry: Entry<'_>, text: &Sought<'_>) -> bool {
        match Record::read(entry.record) {
            Ok(Record::Started { input, .. }) => self.shows(input.as_slice(), text),
            Ok(Record::Submitted(submission)) => self.shows(submission.input.as_slice(), text),
            Ok(Record::Resubmitted(resubmission)) => {
                let input = resubmission.input.as_ref();
                input.is_some_and(|input| self.shows(input.as_slice(), text))
            }
            Ok(Record::Finished { outcome: Ok(output), .. }) => self.shows(output.as_slice(), text),
            Ok(Record::Finished { outcome: Err(_), .. }) | Err(_) => true,
            Ok(
                Record::Admitted { .. }
                | Record::OperationEnded { .. }
                | Record::OperationNoted { .. }
                | Record::Marked { .. }
                | Record::Reported { .. }
                | Record::MessageArrived { .. }
                | Record::MessageSkipped { .. }
                | Record::CancelRequested { .. }
                | Record::Retried { .. }
                | Record::Forked { .. }
                | Record::Moved { .. }
                | Record::Again,
            ) => false,
        }
    }

    fn shows(&self, value: &[u8], text: &Sought<'_>) -> bool {
        let mut is_found = false;
        let read = self.world.values.each_leaf(value, &mut |leaf| is_found |= text.is_in(leaf));
        is_found || read.is_err()
    }
}

/// Whether a run begins with this record: its input is not replaced any more.
fn begins(entry: Entry<'_>) -> bool {
    matches!(Record::read(entry.record), Ok(Record::Started { .. } | Record::Admitted { .. }))
}

/// A text that is looked for in the leaves of values.
pub(crate) struct Sought<'a> {
    text: &'a str,
    /// It can be part of an integer.
    is_digits: bool,
    /// It can be part of bytes, which are shown as hexadecimal digits.
    is_hex: bool,
    /// It can begin within an escape: `\n` or `\u001b`.
    may_be_escaped: bool,
}

impl<'a> Sought<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let is_all = |of: fn(u8) -> bool| text.bytes().all(of);
        let begins_with = |of: fn(u8) -> bool| text.bytes().next().is_some_and(of);
        Self {
            text,
            is_digits: is_all(|byte| byte.is_ascii_digit() || byte == b'-'),
            is_hex: is_all(|byte| byte.is_ascii_hexdigit()),
            may_be_escaped: begins_with(|byte| byte.is_ascii_hexdigit() || b"nrtu".contains(&byte)),
        }
    }

    fn is_in(&self, leaf: Leaf<'_>) -> bool {
        match leaf {
            Leaf::Text(text) => {
                contains(text.as_bytes(), self.text.as_bytes())
                    || self.may_be_escaped && text.contains(char::is_control)
            }
            Leaf::Integer(value) => self.is_digits && self.is_in_digits(value),
            Leaf::Large(value) => self.is_digits && self.is_in_digits(value),
            Leaf::F32(value) => format!("{value:?}").contains(self.text),
            Leaf::F64(value) => format!("{value:?}").contains(self.text),
            Leaf::Bytes(_) => self.is_hex,
            // There may be more of them one day.
            _ => true,
        }
    }

    fn is_in_digits(&self, number: impl fmt::Display) -> bool {
        let mut digits = Digits { bytes: [0; 40], length: 0 };
        write!(digits, "{number}").is_err()
            || contains(&digits.bytes[..digits.length], self.text.as_bytes())
    }
}

/// An integer of 128 bits as it is written.
struct Digits {
    bytes: [u8; 40],
    length: usize,
}

impl Write for Digits {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let to = self.length + part.len();
        self.bytes.get_mut(self.length..to).ok_or(fmt::Error)?.copy_from_slice(part.as_bytes());
        self.length = to;
        Ok(())
    }
}
