//! Admissions of runs that were deleted while a rate counts them. Each queue has a note of its own, so the rate
//! holds over restarts all the same.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use dacapo_store::{Batch, Queued, RunRow};

use crate::clock::Timestamp;
use crate::codec;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};

/// Of one queue.
#[derive(Default)]
pub(super) struct Gone {
    /// The partitions, and when.
    admissions: Vec<(Option<String>, Timestamp)>,
    is_unsaved: bool,
}

const NOTE: &[u8] = b"counted queue ";

fn note(queue: &str) -> Vec<u8> {
    [NOTE, queue.as_bytes()].concat()
}

impl Engine {
    /// A run is about to be deleted.
    pub(in crate::engine) fn keep_count(&self, row: &RunRow) {
        let Some(place) = row.queue.as_ref().filter(|place| place.admitted_at.is_some()) else {
            return;
        };
        if self.counted_until(row) > self.world.timers.now() {
            let mut gone = self.queues.gone.borrow_mut();
            let gone = gone.entry(place.name.clone()).or_default();
            let at = place.admitted_at.map_or(Timestamp::NEVER, Timestamp::from_nanos);
            gone.admissions.push((place.partition.clone(), at));
            gone.is_unsaved = true;
        }
    }

    pub(in crate::engine) fn write_gone(&self, batch: &mut Batch) {
        self.queues.gone.borrow_mut().retain(|queue, gone| {
            if gone.is_unsaved {
                gone.is_unsaved = false;
                self.forget_uncounted(queue, gone);
                match gone.admissions.is_empty() {
                    true => batch.remove_note(&note(queue)),
                    false => batch.put_note(&note(queue), &codec::encode(&gone.admissions)),
                }
            }
            !gone.admissions.is_empty()
        });
    }

    /// Forgets what no rate counts any more; whether there was any.
    fn forget_uncounted(&self, queue: &str, gone: &mut Gone) -> bool {
        let (now, before) = (self.world.timers.now(), gone.admissions.len());
        let looks_back = self.queues.limits(queue).and_then(|limits| limits.looks_back());
        gone.admissions.retain(|(_, at)| looks_back.is_some_and(|per| *at + per > now));
        gone.admissions.len() < before
    }

    /// Counts those of processes before.
    pub(super) fn recall_gone(&self) -> Result<()> {
        let mut notes = Vec::new();
        let read = self.store.borrow().notes(NOTE, &mut |key, value| {
            notes.push((String::from_utf8_lossy(&key[NOTE.len()..]).to_string(), value.to_vec()));
        });
        read.map_err(|error| Error::store(&error))?;
        for (queue, value) in notes {
            let admissions = codec::decode::<Vec<(Option<String>, Timestamp)>>(&value);
            let admissions = admissions.map_err(|why| {
                let why = format_args!("the note of the queue {queue:?} cannot be read: {why}");
                Error::of(Kind::Store, why)
            })?;
            let mut place = Queued::new(queue.clone());
            for (partition, at) in &admissions {
                place.partition.clone_from(partition);
                self.queues.count(&place, *at);
            }
            let mut gone = Gone { admissions, is_unsaved: false };
            // It goes with the next commit.
            gone.is_unsaved = self.forget_uncounted(&queue, &mut gone);
            self.queues.gone.borrow_mut().insert(queue, gone);
        }
        Ok(())
    }
}
