//! Each process held against its replays, and against the reference.

use dacapo::sim::{Recorder, Sim, VirtualClock};
use dacapo::store::{Entry, History, Store};
use dacapo::{Result as Verified, Timestamp};

use super::compare::{compare, event, without_polls};
use super::live::build;
use super::process::{KEY, POLLS, Process, RUN, Wrong, wakes};
use super::reference::{Event, Expected, Record, expect, split_mix};
use super::shaped::set_build;
use super::storage::Storage;
use super::worlds::next_attempt;

impl<S: Storage> Process<'_, S> {
    /// The same run again, from its whole history and in a process of its own: its trace, and whether
    /// it came to the end.
    pub(super) fn replay(&self, wakes: u64) -> (Vec<String>, Verified<()>) {
        let store = self.storage.copy();
        set_build(wakes);
        let clock = VirtualClock::new(Timestamp::from_nanos(store.time()));
        let (sim, recorder) = (Sim::with_wakes(0, Some(wakes), clock), Recorder::default());
        let builder = sim.apply(build(self.program, &sim)).poll_budget(POLLS);
        let executor = builder.observer(recorder.clone()).open_with(store);
        let verified = executor.and_then(|executor| executor.verify(RUN));
        (recorder.trace(RUN), verified)
    }

    /// The history as the reference sees it.
    pub(super) fn records(
        &self,
        trace: &[String],
        history: &History,
    ) -> Result<Vec<Record>, Wrong> {
        let events: Vec<Event> = trace.iter().filter_map(|line| event(line)).collect();
        if events.len() != history.len() {
            let counts = format!("{} records, {} deliveries", history.len(), events.len());
            return Err(Wrong::Lost(counts));
        }
        let records = history.iter().zip(events);
        let record = |(entry, event): (Entry<'_>, _)| Record {
            commit: entry.commit,
            time: entry.time,
            event: match event {
                Event::Failed(number, _) => Event::Failed(number, next_attempt(entry.record)),
                event => event,
            },
        };
        Ok(records.map(record).collect())
    }

    fn expect(&self, records: &[Record], wakes: u64) -> Result<Expected, String> {
        let seeds = (split_mix(self.seed, KEY.0), wakes);
        expect(self.program, self.seed, seeds, records, &self.restarts)
    }

    /// With other polls for no reason, a replay does what the reference does with them. Most programs
    /// do the same then; some do not, since they take turns, and these are known by the reference.
    /// Says whether there were other polls.
    pub(super) fn compare_otherwise(
        &self,
        trace: &[String],
        records: &[Record],
    ) -> Result<bool, Wrong> {
        let wakes = !wakes(self.seed);
        let (replay, verified) = self.replay(wakes);
        if !self.program.kind.has_reference() {
            return Ok(replay != trace);
        }
        let goes_on = without_polls(trace) == without_polls(&replay);
        match (self.expect(records, wakes), verified) {
            (Ok(expected), Ok(())) => {
                compare("other polls (first: the reference)", &expected.trace, &replay)?;
            }
            (Err(why), Ok(())) if goes_on => return Err(Wrong::Diverged(why)),
            (Ok(expected), Err(error))
                if without_polls(&expected.trace) == without_polls(trace)
                    && expected.output.as_ref() == self.output.get() =>
            {
                return Err(Wrong::Diverged(format!("other polls: {error:?}")));
            }
            // The program does otherwise, and so does the reference.
            _ => {}
        }
        Ok(replay != trace)
    }

    pub(super) fn compare_with_reference(
        &self,
        trace: &[String],
        records: &[Record],
    ) -> Result<(), Wrong> {
        if !self.program.kind.has_reference() {
            return Ok(());
        }
        let expected = self.expect(records, wakes(self.seed));
        let expected = expected.map_err(Wrong::Diverged)?;
        compare("the run (first: the reference)", &expected.trace, trace)?;
        if expected.output.as_ref() != self.output.get() {
            let (expected, found) = (&expected.output, self.output.get());
            return Err(Wrong::Diverged(format!("expected is {expected:?}, not {found:?}")));
        }
        let noted = self.sim.noted();
        for ((task, local), expected) in expected.ran {
            let number = if task == 0 { local.to_string() } else { format!("{task}.{local}") };
            let key = format!("{RUN}/{number}/");
            let ran = noted.iter().find(|(noted, _)| noted.starts_with(&key));
            let ran = ran.map_or(0, |(_, ran)| *ran);
            let counts = format!("step {number} ran {ran} times, not {expected}");
            match ran.cmp(&expected) {
                std::cmp::Ordering::Less => return Err(Wrong::Lost(counts)),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => return Err(Wrong::Duplicated(counts)),
            }
        }
        Ok(())
    }
}
