//! Runs that other runs start, and what becomes of the two when one of them ends.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{RunKey, RunRow, RunState};

use super::write::{Guest, Writer};
use super::{Engine, empty_id};
use crate::error::{Error, Kind, Result};
use crate::instance::{Arrival, Instance, Phase, Receiver, RootEnd};
use crate::ledger::{ChildEnd, Ledger, What};
use crate::mark::Made;
use crate::message::{Birth, Outgoing, Parcel};
use crate::random;
use crate::record::{
    Asked, CancelCause, Carried, Link, Mark, Note, Number, Outcome, Record, SEMANTICS_VERSION,
    Spent, Submission,
};
use crate::retried::{Awaited, awaited, taken_back};

impl Engine {
    /// The children of a run that is not in memory, as its history has them: those whose ends it has
    /// not heard of, and that it did not let go. Of a damaged history, those that can be read.
    ///
    /// # Errors
    ///
    /// If the disk does not answer.
    pub(super) fn children_of(&self, run: RunKey) -> dacapo_store::Result<Vec<(Number, Rc<str>)>> {
        let history = match self.store.borrow().history(run) {
            Err(error) if error.is_refused() => return Err(error),
            history => history.ok(),
        };
        // No retry follows: what the earlier ones took back is passed over, and nothing else.
        let children = history.map(|history| awaited(&history, history.len() as u64));
        let children = children.into_iter().flatten();
        Ok(children.map(|child| (child.number, child.id)).collect())
    }

    /// The children that a run started in this pass and did not let go, as far as they are there.
    ///
    /// # Errors
    ///
    /// If a history cannot be read.
    pub(crate) fn started_by(&self, run: RunKey) -> Result<Vec<RunRow>> {
        let history = self.store.borrow().history(run).map_err(|error| Error::store(&error))?;
        let (mut started, void) = (BTreeMap::new(), taken_back(&history));
        for (_, entry) in (0..).zip(history.iter()).filter(|(seq, _)| !void.contains(seq)) {
            match Record::read(entry.record) {
                Ok(Record::OperationNoted { number, note: Note::ChildStarted { id, .. } }) => {
                    started.insert(number, id);
                }
                Ok(Record::Marked { number, mark: Mark::ChildDetached }) => {
                    started.remove(&number);
                }
                Ok(
                    Record::Started { .. }
                    | Record::Submitted(_)
                    | Record::Resubmitted(_)
                    | Record::Admitted { .. }
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
                    | Record::Finished { .. }
                    | Record::Again,
                )
                | Err(_) => {}
            }
        }
        let mut rows = Vec::new();
        for (number, id) in started {
            // Its id may be another's by now.
            if let Some(row) = self.find(id)?
                && self.first_link(row.key)? == Some(Link { parent: run.0, number })
            {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Who started a run, as the history of its first pass has it: a later one begins with no link if the run was let
    /// go before.
    fn first_link(&self, run: RunKey) -> Result<Option<Link>> {
        let mut pass = Some(run);
        while let Some(run) = pass {
            let first = self.store.borrow().entries(run, 0..1);
            let first = first.map_err(|error| Error::store(&error))?;
            let Some(Ok(Record::Submitted(submission))) =
                first.get(0).map(|entry| Record::read(entry.record))
            else {
                return Ok(None);
            };
            if submission.link.is_some() {
                return Ok(submission.link);
            }
            pass = submission.carried.before.map(RunKey);
        }
        Ok(None)
    }

    /// Whether a run was started by the operation that a link names. `was_moved`: in another store, where
    /// it had another key. One whose beginning is damaged is taken for it.
    fn is_child(&self, run: RunKey, link: Link, was_moved: bool) -> dacapo_store::Result<bool> {
        let mut pass = Some(run);
        while let Some(run) = pass {
            let first = match self.store.borrow().entries(run, 0..1) {
                Err(error) if error.is_refused() => return Err(error),
                Err(_) => return Ok(true),
                Ok(first) => first,
            };
            let submission = match first.get(0).map(|entry| Record::read(entry.record)) {
                Some(Ok(Record::Submitted(submission))) => submission,
                Some(Ok(_)) | None => return Ok(false),
                Some(Err(_)) => return Ok(true),
            };
            let is_it =
                |own: Link| own.number == link.number && (was_moved || own.parent == link.parent);
            if submission.link.is_some_and(is_it) {
                return Ok(true);
            }
            // It was let go before it went on.
            pass = submission.carried.before.map(RunKey);
        }
        Ok(false)
    }

    /// Adds a run in memory. `None`: its code is not registered.
    pub(super) fn enter(&self, key: RunKey, id: Rc<str>, workflow: &str) -> Option<Rc<Instance>> {
        let workflow = self.registry.find(workflow)?.clone();
        let (world, ledger) = (self.world.clone(), Ledger::new(key));
        let run = Instance::new(world, ledger, (&*id).into(), workflow, Phase::Live);
        self.ledgers.enter(&run);
        Some(run)
    }

    /// The key of the run that is added next.
    pub(crate) fn next_key(&self) -> RunKey {
        RunKey(self.next_run.get())
    }

    pub(crate) fn take_key(&self) -> RunKey {
        RunKey(self.next_run.replace(self.next_run.get() + 1))
    }

    /// The record that admits a run.
    pub(super) fn admission(&self, run: RunKey) -> Record<'static> {
        Record::Admitted { version: SEMANTICS_VERSION, seed: random::mix(self.seed, run.0) }
    }
}

impl Writer<'_> {
    /// Starts a child that `parent` asked for; nobody waits for it if there is no `link`.
    pub(super) fn start_child(
        &mut self,
        parent: &Ledger,
        id: &Rc<str>,
        birth: &Birth,
        link: Option<Link>,
    ) -> Result<()> {
        self.check_free(id)?;
        let Birth { workflow, input, options } = birth.clone();
        let (options, carried) = (options.at(self.now), Carried::default());
        if let Some(place) = &options.place {
            self.check_child_place(parent, id, place, link.is_some())?;
        }
        let mut submission = Submission { workflow, input, options, link, pass: 1, carried };
        // A child that was let go inherits nothing.
        let parent = self.engine.ledgers.instance(parent).filter(|_| link.is_some());
        let inherited = parent.and_then(|parent| parent.deadline_to_inherit());
        let own = submission.options.deadline;
        submission.options.deadline = own.into_iter().chain(inherited).min();
        let _child = self.begin_run(id, submission);
        Ok(())
    }

    /// A run begins with this commit.
    pub(super) fn begin_run(
        &mut self,
        id: &Rc<str>,
        submission: Submission<'static>,
    ) -> Rc<Ledger> {
        let key = self.engine.take_key();
        let admission = self.engine.admission(key);
        let run = self.engine.enter(key, id.clone(), submission.workflow);
        let ledger = match &run {
            Some(run) => {
                run.submit(&submission);
                run.ledger.clone()
            }
            None => self.bear_guest(key, id, &submission),
        };
        let admission = submission.waits().is_none().then_some(admission);
        for record in [Record::Submitted(submission.into())].into_iter().chain(admission) {
            self.add_start(&ledger, What::Record(record.into()));
        }
        ledger
    }

    /// A run begins that waits for its code.
    fn bear_guest(&mut self, key: RunKey, id: &str, submission: &Submission<'_>) -> Rc<Ledger> {
        let ledger = Ledger::new(key);
        let mut row = RunRow::new(key, id, submission.workflow);
        row.started_at = self.now.as_nanos();
        row.changed_at = row.started_at;
        row.state = submission.waits().unwrap_or(RunState::Running);
        submission.complete(&mut row);
        self.put(row.clone());
        let guest = Guest { ledger: ledger.clone(), row };
        self.elsewhere().born.insert(id.into(), key);
        self.elsewhere().guests.insert(key, guest);
        ledger
    }

    /// # Errors
    ///
    /// If there is a run with this id, or it cannot be one.
    pub(super) fn check_free(&mut self, id: &str) -> Result<()> {
        if id.is_empty() {
            return Err(empty_id());
        }
        let is_known = self.engine.ledgers.has_id(id) || self.elsewhere().born.contains_key(id);
        let is_taken = is_known || {
            let found = self.engine.store.borrow().find(id);
            found.map_err(|error| self.unreadable(id, error))?.is_some()
        };
        match is_taken {
            false => Ok(()),
            true => Err(taken(id)),
        }
    }

    /// Carries out what the code of a run did without awaiting it.
    pub(super) fn carry_out_mark(&mut self, run: &Ledger, made: &Made) {
        let Made { number, mark, child, .. } = made;
        match mark {
            Mark::ChildDropped => self.release_child(run, *number, true),
            Mark::ChildDetached => self.release_child(run, *number, false),
            Mark::ChildStarted { .. } => {
                let outgoing = child.as_ref().map(|child| child.outgoing());
                if let Some(Some(Outgoing { to, parcel: Parcel::Child(birth), .. })) =
                    outgoing.as_deref()
                {
                    // Nobody is there to be told that the id is taken.
                    let _ = self.start_child(run, to, birth, None);
                }
            }
            Mark::Published { .. } | Mark::Answered { .. } => self.note_last_mark(run, mark),
            Mark::Patched { .. } => {}
        }
    }

    fn release_child(&mut self, parent: &Ledger, number: Number, is_dropped: bool) {
        let parent = self.engine.ledgers.instance(parent);
        if let Some(run) = parent
            && let Some(id) = run.extra().children.get(number)
        {
            self.release(Link { parent: run.key().0, number }, &id, is_dropped);
        }
    }

    /// Nobody waits for the end of a child any more; perhaps it is asked to end.
    fn release(&mut self, link: Link, id: &str, is_dropped: bool) {
        let child = match self.look_up(id) {
            Ok(Some(child)) => child,
            // This batch may forget it, and with that end it.
            Ok(None) => {
                self.elsewhere().let_go.insert(link);
                return;
            }
            // One that has ended has, and what cannot be read fails the commit.
            Err(_) => return,
        };
        if self.link(&child) != Some(link) {
            return;
        }
        self.set_link(&child, None);
        if is_dropped && self.takes_posts(&child) {
            let _ = self.cancel(&child, CancelCause::Parent);
        }
    }

    /// A run is taken up again that waits for a child, which has failed, or was asked to end with it: the two are
    /// linked again, or the end of the child comes to the run now.
    pub(super) fn rejoin(&mut self, parent: &Ledger, child: &Awaited) {
        let Awaited { number, workflow, id, .. } = child;
        let link = Link { parent: parent.key.0, number: *number };
        let outcome = match self.link_again(link, child) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            // If the disk does not answer the commit fails: it would be final.
            Err(error) => Err(self.unreadable(id, error).into_failure()),
        };
        let ended = Record::OperationEnded {
            number: *number,
            asked: Asked::Child { workflow },
            label: Some(id),
            outcome,
            spent: Spent::default(),
        };
        self.push(parent, |bytes| ended.append(bytes));
    }

    /// Links a child to its parent, or gives what comes of it. `None`: it is linked, or it is not there, and the
    /// replay says so.
    fn link_again(
        &mut self,
        link: Link,
        Awaited { id, was_moved, .. }: &Awaited,
    ) -> dacapo_store::Result<Option<Outcome<'static>>> {
        let found = match self.look_up(id) {
            Ok(None) => return Ok(None),
            Ok(Some(found)) => found,
            Err(error) if error.is_ended() => {
                let Some(row) = self.engine.store.borrow().find(id)? else { return Ok(None) };
                return Ok(Some(match self.engine.is_child(row.key, link, *was_moved)? {
                    true => self.engine.recorded_outcome(&row)?.unwrap_or_else(into_failed),
                    false => Err(gone(id)),
                }));
            }
            Err(error) => return Ok(Some(into_failed(error))),
        };
        let key = match &found {
            Receiver::Resident(run) => run.key(),
            Receiver::Guest(key) => *key,
        };
        if !self.engine.is_child(key, link, *was_moved)? {
            return Ok(Some(Err(gone(id))));
        }
        let end = self.end_of(&found);
        if end.is_none() {
            self.set_link(&found, Some(link));
        }
        Ok(end)
    }

    /// How a run ends with this batch, if it does.
    fn end_of(&mut self, run: &Receiver) -> Option<Outcome<'static>> {
        match run {
            Receiver::Resident(run) => match run.root_end.get().map(|end| &**end) {
                Some(RootEnd::Outcome(outcome)) if run.is_end_written.get() => {
                    Some(outcome.clone())
                }
                Some(RootEnd::Outcome(_) | RootEnd::Again { .. }) | None => None,
            },
            Receiver::Guest(key) => {
                let has_ended = self.elsewhere().guests[key].row.state.has_ended();
                has_ended
                    .then(|| Err(Error::cancelled(CancelCause::Terminated.why()).into_failure()))
            }
        }
    }

    fn link(&mut self, child: &Receiver) -> Option<Link> {
        match child {
            Receiver::Resident(run) => run.link(),
            Receiver::Guest(key) => self.elsewhere().guests[key].row.link.map(Link::of_row),
        }
    }

    /// Says who waits for the end of a child from now on.
    fn set_link(&mut self, child: &Receiver, link: Option<Link>) {
        match child {
            Receiver::Resident(run) => {
                run.set_link(link);
                if !run.is_end_written.get() {
                    self.put_unended(run);
                }
            }
            Receiver::Guest(key) => {
                if let Some(guest) = self.elsewhere().guests.get_mut(key) {
                    guest.row.link = link.map(Link::in_row);
                    let row = guest.row.clone();
                    self.put(row);
                }
            }
        }
    }

    /// A run has ended: whoever waits for it is told, and its children are asked to end.
    pub(super) fn bereave(&mut self, run: &Rc<Instance>, outcome: &Outcome<'_>) {
        let Some(extra) = run.has_extra() else { return };
        if run.link().is_some() {
            let outcome = outcome.clone().map(crate::bytes::Bytes::into_owned);
            let end = Arrival::ChildEnds(Receiver::Resident(run.clone()), Box::new(outcome));
            self.elsewhere().arrivals.push(end);
        }
        self.release_all(run.key(), extra.children.all());
    }

    /// The same of a run that ends without its code.
    pub(super) fn bereave_guest(&mut self, key: RunKey, outcome: Outcome<'static>) {
        if self.elsewhere().guests[&key].row.link.is_some() {
            let end = Arrival::ChildEnds(Receiver::Guest(key), Box::new(outcome));
            self.elsewhere().arrivals.push(end);
        }
        match self.engine.children_of(key) {
            Ok(children) => self.release_all(key, children),
            // The commit fails: without this its end would be final, and its children would know nothing of it.
            Err(error) => drop(self.unreadable("a run that ends", error)),
        }
    }

    pub(super) fn release_all(&mut self, parent: RunKey, children: Vec<(Number, Rc<str>)>) {
        for (number, id) in children {
            self.release(Link { parent: parent.0, number }, &id, true);
        }
    }

    /// A run that is parked is deleted: it ends first, for all whom that concerns.
    pub(super) fn bereave_deleted(&mut self, run: RunKey) {
        let row = self.engine.store.borrow().row(run);
        let Ok(Some(mut row)) = row.map_err(|error| self.unreadable("a run to be deleted", error))
        else {
            return;
        };
        row.link = row.link.filter(|link| !self.elsewhere().let_go.contains(&Link::of_row(*link)));
        if !row.state.has_ended() {
            self.engine.forget_row(&row);
            let guest = Guest { ledger: Ledger::new(run), row };
            self.elsewhere().guests.insert(run, guest);
            self.bereave_guest(run, Err(Error::cancelled("it was deleted").into_failure()));
        }
    }

    /// The end of a child comes to its parent, if it still waits for it and takes anything.
    pub(super) fn child_end(&mut self, child: &Receiver, outcome: &Outcome<'static>) -> Arrival {
        let Some(Link { parent, number }) = self.link(child) else { return Arrival::Nothing };
        let Ok(Some(parent)) = self.look_up_key(RunKey(parent)) else { return Arrival::Nothing };
        if !self.takes_posts(&parent) {
            return Arrival::Nothing;
        }
        let (workflow, id) = match child {
            Receiver::Resident(run) => (run.workflow().into(), (&*run.id).into()),
            Receiver::Guest(key) => {
                let row = &self.elsewhere().guests[key].row;
                (row.workflow.as_str().into(), row.id.as_str().into())
            }
        };
        let end = ChildEnd { number, workflow, id, outcome: outcome.clone() };
        Arrival::Written(self.draft_for(&parent, What::ChildEnded(end.into())))
    }
}

/// What a run is told of a child that is not there any more, when it waits for it again.
fn gone(id: &str) -> crate::error::Failure {
    let message = format_args!("run {id:?}, which it started, is not there any more");
    Error::of(Kind::NotFound, message).into_failure()
}

fn into_failed(error: Error) -> Outcome<'static> {
    Err(error.into_failure())
}

/// What is said of an id that exists.
fn taken(id: &str) -> Error {
    let message = format_args!("there is a run {id:?} already: give the child another id");
    Error::of(Kind::Usage, message)
}
