//! Histories read in parts, also where they are damaged.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;

use dacapo_store::{Entry, RunKey};

use super::Engine;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::history::{HistoryEntry, HistoryPage, event};

/// A part has so many entries at most.
const MOST_ENTRIES: u64 = 500;

/// So many are read at once: values may be large.
const AT_ONCE: u64 = 50;

/// Where so many took fewer bytes than this, all that is left of a part is read at once.
const FEW_BYTES: usize = 64 << 10;

/// A part ends when its records have so many bytes.
const MOST_BYTES: usize = 16 << 20;

/// A part of a history that is being read.
struct Part {
    entries: Vec<HistoryEntry>,
    bytes: usize,
}

impl Engine {
    /// The records of a run with these seqs, as many as are read at once.
    ///
    /// # Errors
    ///
    /// If the storage refuses. What is damaged is in the list.
    pub(crate) fn page(&self, run: RunKey, seqs: Range<u64>) -> Result<HistoryPage> {
        let mut part = Part { entries: Vec::new(), bytes: 0 };
        if seqs.start == 0
            && let Some(records) = self.read_short(run, AT_ONCE.min(seqs.end), &mut part)
        {
            return Ok(HistoryPage { records, entries: part.entries, next: None });
        }
        let records = self.records(run, &mut part)?;
        let end = seqs.end.min(records);
        let last = end.min(seqs.start.saturating_add(MOST_ENTRIES));
        let mut next = seqs.start;
        while next < last && part.bytes < MOST_BYTES {
            // Each reading finds its place from the beginning of a chunk.
            let are_small = next > seqs.start && part.bytes < FEW_BYTES;
            let to = if are_small { last } else { last.min(next + AT_ONCE) };
            self.read_part(run, next..to, &mut part)?;
            next = to;
        }
        let next = (next < end).then_some(next);
        Ok(HistoryPage { records, entries: part.entries, next })
    }

    /// All of a history that is shorter than this, which most are: what it is read from need not be looked for
    /// twice. `None`: it may be longer, is empty or damaged.
    fn read_short(&self, run: RunKey, most: u64, part: &mut Part) -> Option<u64> {
        let history = self.store.borrow().entries(run, 0..most).ok()?;
        let records = history.len() as u64;
        (1..most).contains(&records).then(|| {
            history.iter().for_each(|entry| self.push(entry, part));
            records
        })
    }

    /// How many records a run has. If that cannot be read, none, and `part` says why.
    fn records(&self, run: RunKey, part: &mut Part) -> Result<u64> {
        let last = self.store.borrow().last(run);
        match last {
            Ok(last) => Ok(last.last().map_or(0, |last| last.seq + 1)),
            Err(error) if error.is_refused() => Err(Error::store(&error)),
            Err(error) => {
                part.entries.push(HistoryEntry::unreadable(0, error.to_string()));
                Ok(0)
            }
        }
    }

    /// Where something is damaged, by halves, so that all else is read.
    fn read_part(&self, run: RunKey, seqs: Range<u64>, part: &mut Part) -> Result<()> {
        let read = self.store.borrow().entries(run, seqs.clone());
        let error = match read {
            Ok(history) => {
                history.iter().for_each(|entry| self.push(entry, part));
                return Ok(());
            }
            Err(error) if error.is_refused() => return Err(Error::store(&error)),
            Err(error) => error,
        };
        let Range { start, end } = seqs;
        if end - start <= 1 {
            part.entries.push(HistoryEntry::unreadable(start, error.to_string()));
            return Ok(());
        }
        let middle = start + (end - start) / 2;
        self.read_part(run, start..middle, part)?;
        self.read_part(run, middle..end, part)
    }

    fn push(&self, entry: Entry<'_>, part: &mut Part) {
        let Entry { seq, commit, time, record } = entry;
        let time = Timestamp::from_nanos(time);
        let event = event(record, time, &self.world.values);
        part.bytes += record.len();
        part.entries.push(HistoryEntry { seq, commit, time, event });
    }
}
