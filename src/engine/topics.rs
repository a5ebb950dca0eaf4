//! What runs publish: written among the outcomes of bodies, and read back from what is committed.

use alloc::string::String;
use alloc::vec::Vec;

use dacapo_store::RunKey;
use futures::channel::oneshot;

use super::write::Writer;
use super::{Engine, no_such_run};
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::instance::{BodyEnd, Phase, Reported};
use crate::record::{Carried, Record};
use crate::topics::published;

/// How far somebody has read a topic.
pub(crate) struct Reader {
    pub(crate) id: String,
    pub(crate) topic: &'static str,
    /// What was published before this one is passed over.
    from: u64,
    /// The pass that is read. `None`: he has not begun.
    run: Option<RunKey>,
    /// Of its next record.
    seq: u64,
    /// Of the next value.
    offset: u64,
}

/// What a look at the history gave.
pub(crate) struct Page {
    pub(crate) reader: Reader,
    /// With their offsets.
    pub(crate) values: Vec<(u64, Vec<u8>)>,
    pub(crate) then: Then,
}

pub(crate) enum Then {
    /// There may be more at once.
    More,
    /// It is worth another look when this is told.
    Wait(oneshot::Receiver<()>),
    /// There is never any more.
    End,
}

impl Reader {
    pub(crate) fn new(id: &str, topic: &'static str, from: u64) -> Self {
        Self { id: id.into(), topic, from, run: None, seq: 0, offset: 0 }
    }

    /// Reads one record, and gives the value if it is one that is asked for.
    fn read(&mut self, record: &Record<'_>) -> Option<(u64, Vec<u8>)> {
        if let Record::Submitted(submission) = record {
            self.offset = published_before(&submission.carried, self.topic);
        }
        let (_, value) = published(record).filter(|(topic, _)| *topic == self.topic)?;
        let offset = self.offset;
        self.offset += 1;
        (offset >= self.from).then(|| (offset, value.as_slice().to_vec()))
    }
}

impl Engine {
    /// So many records are read at once.
    const PAGE: u64 = 256;

    /// What is behind the last commit is there for those who wait for it.
    pub(super) fn wake_followers(&self) {
        if self.followers.is_empty() {
            return;
        }
        let told = {
            let batch = self.batch.borrow();
            let written = batch.entries(0).map(|(run, _)| run);
            self.followers.take(written.chain(batch.deleted().iter().copied()))
        };
        drop(told);
    }

    /// The value that a run published last, in bytes.
    ///
    /// # Errors
    ///
    /// If there is no such run, or what was recorded of it cannot be read.
    pub(crate) fn latest(&self, id: &str, topic: &str) -> Result<Option<Bytes<'static>>> {
        self.check()?;
        let resident = self.ledgers.with_id(id);
        // To one that was parked by the last commit not all was delivered.
        if let Some(run) = resident.filter(|run| run.phase.get() != Phase::Closed) {
            return Ok(run.has_extra().and_then(|extra| extra.topics.borrow().latest(topic)));
        }
        let run = self.find(id)?.ok_or_else(|| no_such_run(id))?.key;
        let last = self.store.borrow().last(run).map_err(|error| Error::store(&error))?;
        let mut end = last.last().map_or(0, |entry| entry.seq + 1);
        while end > 0 {
            let start = end.saturating_sub(Self::PAGE);
            let page = self.store.borrow().entries(run, start..end);
            for entry in page.map_err(|error| Error::store(&error))?.iter().rev() {
                let record = readable(id, entry.seq, entry.record)?;
                if let Record::Submitted(submission) = &record {
                    let topics = &submission.carried.topics;
                    let carried = topics.iter().find(|carried| carried.topic == topic);
                    return Ok(carried.map(|carried| carried.latest.clone().into_owned()));
                }
                if let Some((_, value)) = published(&record).filter(|(other, _)| *other == topic) {
                    return Ok(Some(value.clone().into_owned()));
                }
            }
            end = start;
        }
        Ok(None)
    }

    /// Reads on where a reader stopped.
    ///
    /// # Errors
    ///
    /// As [`latest`](Self::latest), and if the executor has stopped.
    pub(crate) fn read_topic(&self, mut reader: Reader) -> Result<Page> {
        self.check()?;
        let run = match reader.run {
            Some(run) => run,
            None => self.next_pass(&reader)?.ok_or_else(|| no_such_run(&reader.id))?,
        };
        reader.run = Some(run);
        let (mut values, mut then) = (Vec::new(), Then::More);
        let page = self.store.borrow().entries(run, reader.seq..reader.seq + Self::PAGE);
        let page = page.map_err(|error| Error::store(&error))?;
        for entry in page.iter() {
            let record = readable(&reader.id, entry.seq, entry.record)?;
            values.extend(reader.read(&record));
            reader.seq = entry.seq + 1;
            if let Record::Finished { .. } = record {
                then = Then::End;
            }
            if let Record::Again = record {
                let next = self.next_pass(&reader)?;
                (reader.run, reader.seq) = (next, 0);
                then = next.map_or(Then::End, |_| Then::More);
            }
        }
        if page.is_empty() {
            let is_there = self.ledgers.get(run).is_some() || self.row(run)?.is_some();
            then = if is_there { Then::Wait(self.followers.add(run)) } else { Then::End };
        }
        Ok(Page { reader, values, then })
    }

    /// The pass that follows the one that was read, or the one to begin with. `None`: there is no such
    /// run, or it is another one of the same id.
    fn next_pass(&self, reader: &Reader) -> Result<Option<RunKey>> {
        let Some(mut pass) = self.newest_pass(&reader.id)? else { return Ok(None) };
        loop {
            let (before, published) = self.head(&reader.id, reader.topic, pass)?;
            let before_row = before.map(|before| self.row(before)).transpose()?.flatten();
            // What was copied says what it said where it came from.
            let before_row = before_row.filter(|row| row.id == reader.id);
            if before == reader.run && before.is_some() {
                return Ok(Some(pass));
            }
            let is_first = reader.run.is_none() && published <= reader.from;
            // Older ones may have been deleted.
            match before_row.filter(|_| !is_first) {
                Some(row) => pass = row.key,
                None => return Ok(reader.run.is_none().then_some(pass)),
            }
        }
    }

    fn newest_pass(&self, id: &str) -> Result<Option<RunKey>> {
        match self.ledgers.with_id(id) {
            Some(run) => Ok(Some(run.key())),
            None => Ok(self.find(id)?.map(|row| row.key)),
        }
    }

    /// Which pass was before this one, and how many values were published by then.
    fn head(&self, id: &str, topic: &str, pass: RunKey) -> Result<(Option<RunKey>, u64)> {
        let head = self.store.borrow().entries(pass, 0..1).map_err(|error| Error::store(&error))?;
        let Some(entry) = head.get(0) else { return Ok((None, 0)) };
        match readable(id, 0, entry.record)? {
            Record::Submitted(submission) => {
                let carried = &submission.carried;
                Ok((carried.before.map(RunKey), published_before(carried, topic)))
            }
            Record::Started { .. }
            | Record::OperationEnded { .. }
            | Record::OperationNoted { .. }
            | Record::Finished { .. }
            | Record::MessageArrived { .. }
            | Record::CancelRequested { .. }
            | Record::Admitted { .. }
            | Record::Marked { .. }
            | Record::Reported { .. }
            | Record::MessageSkipped { .. }
            | Record::Again
            | Record::Retried { .. }
            | Record::Forked { .. }
            | Record::Resubmitted(_)
            | Record::Moved { .. } => Ok((None, 0)),
        }
    }
}

fn readable<'a>(id: &str, seq: u64, record: &'a [u8]) -> Result<Record<'a>> {
    Record::read(record).map_err(|why| {
        let message = format_args!("record {seq} of run {id:?} cannot be read: {why}");
        Error::of(Kind::Store, message)
    })
}

/// How many values on a topic the passes before have published.
fn published_before(carried: &Carried<'_>, topic: &str) -> u64 {
    let of_topic = carried.topics.iter().find(|carried| carried.topic == topic);
    of_topic.map_or(0, |carried| carried.published)
}

impl Writer<'_> {
    /// Writes what bodies published before the outcome that is next, while there is room, and says how
    /// many are done with: what is void is not written.
    pub(super) fn write_reports(
        &mut self,
        reports: &mut [Reported],
        next: usize,
        outcomes: &[BodyEnd],
    ) -> usize {
        for (written, reported) in reports.iter_mut().enumerate() {
            if reported.behind > next {
                return written;
            }
            let report = &reported.report;
            let Some(run) = self.engine.ledgers.resident(report.run) else { continue };
            let Some(step) = run.step_under_way(report.step) else { continue };
            let ends = || outcomes[next..].iter().any(|end| end.is_of(&step));
            // Behind its outcome, an attempt has nothing to say.
            if step.outcome().is_some() && !ends() {
                continue;
            }
            if !self.takes(&run.ledger) {
                return written;
            }
            self.push(&run.ledger, |bytes| report.record(&reported.value).append(bytes));
            reported.run = Some(run);
        }
        reports.len()
    }
}
