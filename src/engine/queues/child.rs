//! Children that would wait for the end of whoever waits for them.

use dacapo_store::{Queued, RunKey, RunRow, RunState};

use crate::engine::write::Writer;
use crate::error::{Error, Kind, Result};
use crate::ledger::Ledger;
use crate::record::Place;

impl Writer<'_> {
    /// Whether a child may be put there.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub(in crate::engine) fn check_child_place(
        &mut self,
        parent: &Ledger,
        id: &str,
        place: &Place,
        is_awaited: bool,
    ) -> Result<()> {
        self.engine.check_place(id, place)?;
        if let Some(holder) = self.engine.queues.holder(place) {
            let unique = place.unique.as_deref().unwrap_or_default();
            let message = format_args!(
                "run {id:?} is not started: the unended run with the key {holder} in this store has its unique \
                 key {unique:?}"
            );
            return Err(Error::of(Kind::Taken, message));
        }
        // Nobody waits for one that was let go.
        if is_awaited { self.check_ancestors(parent, id, place) } else { Ok(()) }
    }

    /// Whether a child may wait in a queue: not if an unended run that waits for it, or for one that does,
    /// takes room there.
    ///
    /// # Errors
    ///
    /// If it may not, with both.
    fn check_ancestors(&mut self, parent: &Ledger, id: &str, place: &Place) -> Result<()> {
        let Some(queue) = &place.queue else { return Ok(()) };
        let Some(limits) = self.engine.queues.limits(queue) else { return Ok(()) };
        if !limits.has_concurrency() {
            return Ok(());
        }
        let is_same_room = |its: &Queued| {
            its.name == *queue
                && (limits.all.concurrency.is_some() || its.partition == place.partition)
        };
        let mut next = Some(parent.key);
        while let Some(run) = next {
            let Some((ancestor, its, link)) = self.place_of(run)? else { return Ok(()) };
            if its.as_ref().is_some_and(is_same_room) {
                let message = format_args!(
                    "run {id:?} would wait in queue {queue:?} for the end of run {ancestor:?}, which waits for \
                     it and takes room there: start it into another queue, or detach it"
                );
                return Err(Error::of(Kind::Usage, message));
            }
            next = link;
        }
        Ok(())
    }

    /// The id of a run, its place, and the run that waits for it.
    fn place_of(&mut self, run: RunKey) -> Result<Option<Placed>> {
        let row = if let Some(run) = self.engine.ledgers.resident(run) {
            Some(run.row())
        } else if let Some(guest) = self.elsewhere().guests.get(&run) {
            Some(guest.row.clone())
        } else {
            let row = self.engine.store.borrow().row(run);
            row.map_err(|error| self.unreadable("a parent", error))?
        };
        // One that is parked takes no room.
        let takes_room = |row: &RunRow| row.state == RunState::Running;
        Ok(row.map(|row| {
            let place = row.queue.clone().filter(|_| takes_room(&row));
            (row.id, place.map(|place| *place), row.link.map(|link| link.parent))
        }))
    }
}

/// See [`Writer::place_of`].
type Placed = (alloc::string::String, Option<Queued>, Option<RunKey>);
