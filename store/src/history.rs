use alloc::vec::Vec;
use core::fmt;

/// One entry of a run's history: a record, its seq, and the commit that it came with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Where it stands in the run's history: 0, 1, 2 and so on.
    pub seq: u64,
    /// The number of the commit that wrote it. Commits are numbered 1, 2, 3 within a store.
    pub commit: u64,
    /// That commit's time, in nanoseconds since 1970.
    pub time: u64,
    /// What was recorded.
    pub record: &'a [u8],
}

/// A history, or a part of one, in two pieces of memory, however many entries it has.
///
/// ```
/// use dacapo_store::{Entry, History};
///
/// let mut history = History::default();
/// history.push(Entry { seq: 0, commit: 7, time: 100, record: b"started" });
/// history.push(Entry { seq: 1, commit: 9, time: 200, record: b"finished" });
/// assert_eq!(history.get(1), history.last());
/// assert_eq!(history.last().unwrap().record, b"finished");
/// let newest_first: Vec<_> = history.iter().rev().map(|entry| entry.seq).collect();
/// assert_eq!(newest_first, [1, 0]);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct History {
    marks: Vec<Mark>,
    bytes: Vec<u8>,
}

/// Each record ends where the next one begins.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    seq: u64,
    commit: u64,
    time: u64,
    end: usize,
}

impl History {
    /// Appends an entry.
    pub fn push(&mut self, entry: Entry<'_>) {
        let Entry { seq, commit, time, record } = entry;
        self.bytes.extend_from_slice(record);
        self.marks.push(Mark { seq, commit, time, end: self.bytes.len() });
    }

    /// Makes room for so many more entries with so many bytes of records in all.
    pub fn reserve(&mut self, entries: usize, bytes: usize) {
        self.marks.reserve(entries);
        self.bytes.reserve(bytes);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The entry at an index, which is its seq if the history is whole.
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        let &Mark { seq, commit, time, end } = self.marks.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.marks[before].end);
        Some(Entry { seq, commit, time, record: &self.bytes[start..end] })
    }

    /// The entries in order.
    pub fn iter(&self) -> Entries<'_> {
        Entries { history: self, from: 0, to: self.len() }
    }

    /// Whether it begins with all entries of another one.
    pub fn starts_with(&self, other: &History) -> bool {
        self.marks.starts_with(&other.marks) && self.bytes.starts_with(&other.bytes)
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.get(0)
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.get(self.len().checked_sub(1)?)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl<'a> IntoIterator for &'a History {
    type Item = Entry<'a>;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl<'a> FromIterator<Entry<'a>> for History {
    fn from_iter<I: IntoIterator<Item = Entry<'a>>>(entries: I) -> History {
        let mut history = History::default();
        entries.into_iter().for_each(|entry| history.push(entry));
        history
    }
}

/// The entries of a [`History`], in order from either end.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    history: &'a History,
    from: usize,
    to: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let index = self.from;
        (index < self.to).then(|| self.from += 1)?;
        self.history.get(index)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.to - self.from;
        (left, Some(left))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        (self.from < self.to).then(|| self.to -= 1)?;
        self.history.get(self.to)
    }
}

impl ExactSizeIterator for Entries<'_> {}
