//! Runs that are read from an export.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::io::BufRead;

use dacapo_store::{Entry, History, RunKey, RunRow, RunState};

use super::{Executor, admit};
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::fault::{Fault, ParkReason};
use crate::ledger::Copied;
use crate::lines::{self, Line, Run, from_hex, shape_sum};
use crate::record::{Link, Number, Record, SEMANTICS_VERSION};

/// Commits of an export are numbered from here on: no commit of this store ever has such a number, so none is
/// taken for one of them.
const FIRST_COMMIT: u64 = 1 << 63;

/// What to do about an id that exists. The ids of an import stay as they are.
const IF_TAKEN: &str = "import into another file, or delete that run";

impl Executor {
    /// Reads runs that [`export`](Self::export) wrote, all of them or none, and gives their ids. Those that have
    /// not ended are parked until they are [resumed](Self::resume): runs of one machine do not start on another.
    ///
    /// A run keeps its id, its times, what it draws at random, and the idempotency keys of its steps: so only one
    /// copy of it may go on, since whoever is called cannot tell the two apart. Its parent does not come along
    /// by itself: then nobody waits for it.
    ///
    /// # Errors
    ///
    /// If an id exists, if a line is damaged, missing or of a later format (the message names it), if it is too
    /// much for one commit (256 MiB), or if the store failed. Nothing has changed then.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.import(&b"{}"[..]).unwrap_err();
    /// assert!(error.to_string().starts_with("line 1 of the export cannot be read: "));
    /// ```
    pub fn import(&self, from: impl BufRead) -> Result<Vec<String>> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("runs cannot be imported"))?;
        let mut reader = Reader::default();
        let mut lines = 0;
        for line in from.split(b'\n') {
            lines += 1;
            let of_line =
                |what| Error::of(Kind::Usage, format_args!("line {lines} of the export {what}"));
            let line = line.map_err(|why| of_line(format!("cannot be read: {why}")))?;
            reader.take(lines, &line).map_err(of_line)?;
        }
        reader.end(lines)?;
        for read in &reader.runs {
            engine.expect_free(&read.run.run, IF_TAKEN)?;
        }
        let copies = self.copies(&reader)?;
        engine.copy(copies, IF_TAKEN)?;
        Ok(reader.runs.into_iter().map(|read| read.run.run).collect())
    }

    /// What is read, in the keys and shapes of this file.
    fn copies(&self, reader: &Reader) -> Result<Vec<Copied>> {
        let engine = &self.shared.engine;
        let mut numbers = BTreeMap::new();
        for (number, shape) in &reader.shapes {
            let added = self.values().shapes().add_shape(shape);
            numbers.insert(*number, added.map_err(|why| damaged(format_args!("{why}")))?);
        }
        let mut keys = BTreeMap::new();
        for read in &reader.runs {
            keys.insert(&*read.run.run, engine.take_key());
        }
        let renumber = |value: &Bytes<'_>| {
            let number = dacapo_values::number_of(value.as_slice());
            let number = number.map_err(|why| damaged(format_args!("{why}")))?;
            let renumbered = match numbers.get(&number) {
                Some(number) => dacapo_values::Shapes::renumbered(value.as_slice(), *number),
                None if number < 32 => Ok(value.as_slice().to_vec()),
                None => return Err(damaged(format_args!("the shape {number} is missing"))),
            };
            let renumbered = renumbered.map_err(|why| damaged(format_args!("{why}")))?;
            let mut bytes = Bytes::EMPTY;
            bytes.copy(&renumbered);
            Ok(bytes)
        };
        reader.runs.iter().map(|read| self.copy_of(read, &keys, &renumber)).collect()
    }

    fn copy_of(
        &self,
        ReadRun { run, store, state, entries }: &ReadRun,
        keys: &BTreeMap<&str, RunKey>,
        renumber: &dyn Fn(&Bytes<'_>) -> Result<Bytes<'static>>,
    ) -> Result<Copied> {
        let engine = &self.shared.engine;
        let link = run.parent.as_ref().and_then(|parent| {
            let number = Number { task: parent.task, local: parent.local };
            Some(Link { parent: keys.get(&*parent.run)?.0, number })
        });
        let (mut history, mut bytes) = (History::default(), Vec::new());
        for entry in entries {
            let record = Record::read(&entry.bytes).map_err(|why| {
                damaged(format_args!("record {} of run {:?}: {why}", entry.seq, run.run))
            })?;
            let mut record = record.with_values(&mut |value: &Bytes<'_>| renumber(value))?;
            if let Record::Submitted(submission) = &mut record {
                submission.link = link;
                submission.carried.before = None;
            }
            bytes.clear();
            record.append(&mut bytes);
            let (seq, commit, time) = (entry.seq, entry.commit, entry.time);
            history.push(Entry { seq, commit, time, record: &bytes });
        }
        let mut row = RunRow::new(keys[&*run.run], &*run.run, &*run.workflow);
        row.pass = run.pass;
        row.attributes = run.attributes.clone();
        row.link = link.filter(|_| !state.has_ended()).map(Link::in_row);
        row.state = if state.has_ended() { *state } else { RunState::Parked };
        let mut own = Vec::new();
        if !state.has_ended() {
            Record::Moved { store: *store, run: run.key }.append(&mut own);
        }
        let detail = "it comes from an export";
        let fault = engine.world.stamped(Fault::new(ParkReason::OnRequest, detail));
        Ok(Copied { row, history, own, fault })
    }
}

/// What is read by now.
#[derive(Default)]
struct Reader {
    shapes: BTreeMap<u32, Vec<u8>>,
    runs: Vec<ReadRun>,
    /// The commit of the last record, as the export numbers it.
    last_commit: Option<u64>,
    has_begun: bool,
    has_ended: bool,
}

struct ReadRun {
    run: Run,
    store: u64,
    state: RunState,
    entries: Vec<ReadEntry>,
}

struct ReadEntry {
    seq: u64,
    commit: u64,
    time: u64,
    bytes: Vec<u8>,
}

impl Reader {
    fn take(&mut self, at: u64, line: &[u8]) -> Result<(), String> {
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|why| wrong(format!("cannot be read: {why}")))?;
        if self.has_ended {
            return Err(wrong("stands behind the end"));
        }
        if !matches!(line, Line::Export { .. }) && !self.has_begun {
            return Err(wrong("is none: an export begins with a line of the kind \"export\""));
        }
        match line {
            Line::Export { .. } if self.has_begun => {
                Err(wrong("begins another export: import one at a time"))
            }
            Line::Export { format, semantics } => self.begin(format, semantics),
            Line::Shape { number, bytes, sum, .. } => {
                check(&sum, &shape_sum(number, &bytes))?;
                self.shapes.insert(number, hex(&bytes)?);
                Ok(())
            }
            Line::Run(run) => self.add_run(run),
            Line::Record(entry) => self.add_entry(&entry),
            Line::End { lines } if lines != at => {
                Err(wrong(format!("should be the line {lines}: some are missing, or too many")))
            }
            Line::End { .. } => {
                self.expect_whole()?;
                self.has_ended = true;
                Ok(())
            }
        }
    }

    fn begin(&mut self, format: u32, semantics: u32) -> Result<(), String> {
        self.has_begun = true;
        if format > lines::FORMAT || semantics > SEMANTICS_VERSION {
            return Err(wrong(format!(
                "is of format {format}, with version {semantics} of the rules, and this build knows {} and \
                 {SEMANTICS_VERSION}: import it with a later one",
                lines::FORMAT
            )));
        }
        Ok(())
    }

    fn add_run(&mut self, run: Run) -> Result<(), String> {
        self.expect_whole()?;
        check(&run.sum, &run.sum())?;
        let known = RunState::ALL.into_iter().find(|state| state.name() == run.state);
        let state = known.ok_or_else(|| wrong(format!("has the unknown state {:?}", run.state)))?;
        let store = u64::from_str_radix(&run.store, 16);
        let store = store.map_err(|why| wrong(format!("has no number of a store: {why}")))?;
        if self.runs.iter().any(|read| read.run.run == run.run) {
            return Err(wrong(format!("has the run {:?}, which stands above", run.run)));
        }
        self.runs.push(ReadRun { run, store, state, entries: Vec::new() });
        Ok(())
    }

    fn add_entry(&mut self, entry: &lines::Entry<'_>) -> Result<(), String> {
        check(&entry.sum, &entry.sum())?;
        let Some(read) = self.runs.last_mut().filter(|read| read.run.run == entry.run) else {
            return Err(wrong(format!("is of run {:?}, which does not stand above it", entry.run)));
        };
        if entry.seq != read.entries.len() as u64 {
            return Err(wrong(format!(
                "is record {}, and {} comes next",
                entry.seq,
                read.entries.len()
            )));
        }
        // In this file they are other commits; which records share one stays.
        let last = read.entries.last().map(|last: &ReadEntry| last.commit);
        let is_same = self.last_commit == Some(entry.commit) && last.is_some();
        let commit = match last {
            Some(last) if is_same => last,
            Some(last) => last + 1,
            None => FIRST_COMMIT,
        };
        self.last_commit = Some(entry.commit);
        let bytes = hex(&entry.bytes)?;
        read.entries.push(ReadEntry { seq: entry.seq, commit, time: entry.time, bytes });
        Ok(())
    }

    /// Whether the run above has all of its records.
    fn expect_whole(&self) -> Result<(), String> {
        match self.runs.last() {
            Some(ReadRun { run, entries, .. }) if entries.len() as u64 != run.records => {
                let (id, has, all) = (&run.run, entries.len(), run.records);
                Err(wrong(format!("comes too early: run {id:?} has {has} records of {all}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn end(&self, lines: u64) -> Result<()> {
        match self.has_ended {
            true => Ok(()),
            false => Err(damaged(format_args!(
                "it ends after {lines} lines, and has no end: copy all of it"
            ))),
        }
    }
}

fn check(is: &str, should_be: &str) -> Result<(), String> {
    match is == should_be {
        true => Ok(()),
        false => Err(wrong("has a wrong checksum: it was changed; export it anew")),
    }
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    from_hex(text).ok_or_else(|| wrong("has bytes that are none"))
}

/// What is wrong with a line; its number comes before it.
fn wrong(what: impl core::fmt::Display) -> String {
    what.to_string()
}

fn damaged(what: core::fmt::Arguments<'_>) -> Error {
    Error::of(Kind::Usage, format_args!("the export is damaged: {what}"))
}
