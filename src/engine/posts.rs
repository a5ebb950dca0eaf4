//! What comes to a run from elsewhere: posted, and the runs brought back that it is for.

use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::{RunKey, RunRow, RunState};

use super::Engine;
use super::write::AHEAD;
use crate::error::{Error, Result};
use crate::instance::{Instance, Post, PostWhat};
use crate::ledger::{Draft, What};
use crate::message::{Outgoing, Parcel};
use crate::record::{CancelCause, Mark, Record};
use crate::watch::Watch;

/// Whom something is for.
enum Addressee {
    Id(Rc<str>),
    Key(RunKey),
}

/// How far it was looked for whom there is something.
#[derive(Default)]
struct Looked {
    posts: usize,
    passes: usize,
    requests: usize,
    rows: usize,
}

impl Engine {
    /// Has the next commit write something for a run, and gives where to wait for that.
    pub(crate) fn post(&self, to: impl Into<Rc<str>>, what: PostWhat) -> Rc<Watch> {
        let receipt = Rc::<Watch>::default();
        let post = Post { to: to.into(), what, receipt: receipt.clone() };
        self.world.pending.borrow_mut().others_mut().posts.push(post);
        self.world.bodies.raw().notify();
        receipt
    }

    /// Whether somebody has asked a run to end, and that is not committed.
    pub(crate) fn is_being_ended(&self, id: &str) -> bool {
        let pending = self.world.pending.borrow();
        let ends = |post: &Post| matches!(post.what, PostWhat::Cancel(_)) && *post.to == *id;
        pending.others().posts.iter().any(ends)
    }

    /// Brings the runs back for which there is something, before anything is written: what comes to a
    /// run is delivered to it.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub(super) fn reload_receivers(&self) -> Result<()> {
        if self.world.pending.borrow().has_only_outcomes() {
            return Ok(());
        }
        let mut looked = Looked::default();
        // What comes back may have something for others, too.
        while let Some(addressees) = self.addressees(&mut looked)? {
            for addressee in addressees {
                self.bring_back(&addressee)?;
            }
        }
        Ok(())
    }

    fn bring_back(&self, addressee: &Addressee) -> Result<()> {
        let is_here = match addressee {
            Addressee::Id(id) => self.ledgers.has_id(id),
            Addressee::Key(run) => self.ledgers.resident(*run).is_some(),
        };
        if !is_here
            && let Some(row) = self.row_for(addressee)?
            && self.may_come_back(&row)
        {
            self.reload(&row)?;
        }
        Ok(())
    }

    fn row_for(&self, addressee: &Addressee) -> Result<Option<RunRow>> {
        match addressee {
            Addressee::Id(id) => self.find(id),
            Addressee::Key(run) => self.row(*run),
        }
    }

    /// Whether a run can be in memory.
    pub(super) fn may_come_back(&self, row: &RunRow) -> bool {
        row.state == RunState::Running && self.registry.find(&row.workflow).is_some()
    }

    /// For whom the next request, post or deletion is. `None`: there is none left.
    fn addressees(&self, looked: &mut Looked) -> Result<Option<Vec<Addressee>>> {
        let pending = self.world.pending.borrow();
        let others = pending.others();
        while let Some(post) = others.posts.get(looked.posts) {
            looked.posts += 1;
            let (to, is_here) = (post.to.clone(), self.ledgers.has_id(&post.to));
            let ends = post.what.may_end(is_here);
            // Nearly all are messages for somebody who is here.
            if !ends && is_here {
                continue;
            }
            drop(pending);
            let mut all =
                if ends { self.bereaved(&Addressee::Id(to.clone()))? } else { Vec::new() };
            all.push(Addressee::Id(to));
            return Ok(Some(all));
        }
        if let Some(draft) = others.passes.get(looked.passes) {
            looked.passes += 1;
            return Ok(Some(self.concerned(draft)));
        }
        while let Some(draft) = others.requests.get(looked.requests) {
            looked.requests += 1;
            if let Some(later) = others.requests.get(looked.requests + AHEAD) {
                later.prefetch();
            }
            let concerned = self.concerned(draft);
            // Nearly all concern nobody, or somebody who is here.
            if !concerned.is_empty() {
                return Ok(Some(concerned));
            }
        }
        while let Some(Draft { to, what }) = others.rows.get(looked.rows) {
            looked.rows += 1;
            match what {
                What::Delete => {
                    let run = to.key;
                    drop(pending);
                    return self.bereaved(&Addressee::Key(run)).map(Some);
                }
                What::Retry(retrial) => {
                    let children = retrial.children.iter();
                    return Ok(Some(
                        children.map(|child| Addressee::Id(child.id.clone())).collect(),
                    ));
                }
                What::Record(_)
                | What::Request(_)
                | What::Mark(_)
                | What::Again(_)
                | What::Message(_)
                | What::ChildEnded(_)
                | What::Park(_)
                | What::Hold(_)
                | What::Resume
                | What::Copy(_) => {}
            }
        }
        Ok(None)
    }

    /// Whom a draft of a run concerns beside that run.
    fn concerned(&self, Draft { to, what }: &Draft) -> Vec<Addressee> {
        let run = || self.ledgers.instance(to);
        match what {
            What::Request(request) => match &*request.outgoing() {
                Some(Outgoing { to, parcel: Parcel::Message(_), spot }) => {
                    spot.set(self.ledgers.spot(to));
                    match spot.get() {
                        Some(_) => Vec::new(),
                        None => [Addressee::Id(to.clone())].into(),
                    }
                }
                Some(_) | None => Vec::new(),
            },
            What::Mark(made) => match made.mark {
                Mark::ChildDropped | Mark::ChildDetached => {
                    let child = run().and_then(|run| run.extra().children.get(made.number));
                    child.map(Addressee::Id).into_iter().collect()
                }
                Mark::Published { .. }
                | Mark::Answered { .. }
                | Mark::ChildStarted { .. }
                | Mark::Patched { .. } => Vec::new(),
            },
            What::Again(_) => run().map_or_else(Vec::new, |run| children(&run)),
            What::Record(record) if matches!(**record, Record::Finished { .. }) => {
                let Some(run) = run().filter(|run| run.has_extra().is_some()) else {
                    return Vec::new();
                };
                let parent = run.link().map(|link| Addressee::Key(RunKey(link.parent)));
                children(&run).into_iter().chain(parent).collect()
            }
            What::Record(_)
            | What::Message(_)
            | What::ChildEnded(_)
            | What::Park(_)
            | What::Hold(_)
            | What::Resume
            | What::Retry(_)
            | What::Copy(_)
            | What::Delete => Vec::new(),
        }
    }

    /// Whom it concerns if a run ends without its code.
    fn bereaved(&self, addressee: &Addressee) -> Result<Vec<Addressee>> {
        let Some(row) = self.row_for(addressee)? else { return Ok(Vec::new()) };
        if row.state.has_ended() || self.may_come_back(&row) {
            return Ok(Vec::new());
        }
        let parent = row.link.map(|link| Addressee::Key(link.parent));
        let children = self.children_of(row.key).map_err(|error| Error::store(&error))?;
        let children = children.into_iter();
        Ok(children.map(|(_, id)| Addressee::Id(id)).chain(parent).collect())
    }
}

fn children(run: &Instance) -> Vec<Addressee> {
    run.extra().children.all().into_iter().map(|(_, id)| Addressee::Id(id)).collect()
}

impl PostWhat {
    /// Whether the run may end by it without its code.
    fn may_end(&self, is_in_memory: bool) -> bool {
        match self {
            Self::Cancel(CancelCause::Terminated) => true,
            // Perhaps it waits to be admitted.
            Self::Cancel(_) => !is_in_memory,
            Self::Message(_) | Self::Skip(_) | Self::Resubmit(_) => false,
        }
    }
}
