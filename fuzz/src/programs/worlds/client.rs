//! What somebody outside of the runs does.

use std::time::Duration;

use dacapo::{Error, Start};
use futures::FutureExt;

use super::super::decode::Decoder;
use super::super::talk::{CHANNELS, IDS, KEYED, WORKFLOWS};
use super::life::Process;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Sleep(u64),
    Start {
        id: usize,
        workflow: usize,
        deadline_ms: Option<u64>,
    },
    Send {
        to: Id,
        channel: usize,
        key: u8,
    },
    /// The same message twice in one commit.
    SendTwice {
        to: Id,
        key: u8,
    },
    Cancel(Id),
    Terminate(Id),
    Delete(Id),
    Resume(Id),
    /// It wakes what runs left with it.
    Wake,
    Mend,
    Verify(Id),
}

/// A run, or a child of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id {
    run: usize,
    child: Option<u8>,
}

impl Id {
    pub(super) fn text(self) -> String {
        match self.child {
            None => IDS[self.run].into(),
            Some(child) => format!("{}/{child}", IDS[self.run]),
        }
    }
}

impl Decoder<'_> {
    pub(super) fn action(&mut self) -> Action {
        match self.below(32) {
            0..=4 => Action::Sleep([0, 1, 5, 20, 50, 1_000, 20_000][usize::from(self.below(7))]),
            5..=13 => self.start(),
            14..=20 => Action::Send {
                to: self.id(),
                channel: usize::from(self.below(CHANNELS.len() as u8)),
                key: self.below(3),
            },
            21 => Action::SendTwice { to: self.id(), key: self.below(3) },
            22 | 23 => Action::Cancel(self.id()),
            24 => Action::Terminate(self.id()),
            25 => Action::Delete(self.id()),
            26 | 27 => Action::Resume(self.id()),
            28 => Action::Wake,
            29 => Action::Mend,
            30 => Action::Verify(self.id()),
            _ => Action::Sleep(100_000),
        }
    }

    /// Of a few workflows each, so that most ids fit.
    pub(super) fn start(&mut self) -> Action {
        // The others are children, most of the time.
        let id = [0, 0, 1, 1, 2, 2, 3, 4][usize::from(self.below(8))];
        let deadlines =
            [None, None, None, None, None, None, Some(0), Some(20), Some(1_000), Some(20_000)];
        let workflow = match self.below(8) {
            any @ 0..4 => usize::from(any),
            _ => [0, 0, 1, 1, 2, 3][id],
        };
        Action::Start { id, workflow, deadline_ms: deadlines[usize::from(self.below(10))] }
    }

    fn id(&mut self) -> Id {
        let run = usize::from(self.below(IDS.len() as u8));
        let child = self.below(12);
        Id { run, child: (1..=5).contains(&child).then_some(child) }
    }
}

impl Process<'_> {
    /// Carries out what one client does.
    pub(super) async fn act(&self, actions: &[Action]) {
        for action in actions {
            self.one(*action).await;
        }
    }

    async fn one(&self, action: Action) {
        match action {
            Action::Sleep(millis) => self.sleep(millis).await,
            Action::Start { id, workflow, deadline_ms } => {
                self.start(id, workflow, deadline_ms).await;
            }
            Action::Send { to, channel, key } => self.send(to, channel, key).await,
            Action::SendTwice { to, key } => {
                futures::join!(self.send(to, KEYED, key), self.send(to, KEYED, key));
            }
            Action::Cancel(id) => {
                let told = self.executor.cancel(&id.text()).await;
                self.look_at(told);
            }
            Action::Terminate(id) => {
                let told = self.executor.terminate(&id.text()).await;
                self.look_at(told);
            }
            Action::Delete(id) => {
                self.has_forgotten.set(true);
                let told = self.executor.delete(&id.text()).await;
                if told.as_ref().map_or_else(Error::is_store, |()| true) {
                    // What is traced then may be of another run with this id.
                    self.untraced.borrow_mut().insert(id.text());
                }
                if told.is_ok() {
                    self.left.borrow_mut().forget(&id.text());
                }
                self.look_at(told);
            }
            Action::Resume(id) => {
                let told = self.executor.resume(&id.text());
                self.look_at(told);
            }
            Action::Wake => {
                let wakers = self.outside.wakers.take();
                for (id, waker) in wakers {
                    // Nobody notices it where a set of futures is not polled, and its next poll is
                    // another one then.
                    self.untraced.borrow_mut().insert(id);
                    waker.wake();
                }
            }
            Action::Mend => self.outside.is_mended.set(true),
            Action::Verify(id) => {
                let told = self.executor.verify(&id.text());
                // The rehearsal has the trace by now.
                self.untraced.borrow_mut().insert(id.text());
                self.look_at(told);
            }
        }
    }

    pub(super) async fn sleep(&self, millis: u64) {
        self.sim.clock().sleep(Duration::from_millis(millis)).await;
    }

    async fn start(&self, id: usize, workflow: usize, deadline_ms: Option<u64>) {
        let options = match deadline_ms {
            Some(millis) => Start::new().timeout(Duration::from_millis(millis)),
            None => Start::new(),
        };
        let x = self.world.seed;
        match self.executor.start_with(WORKFLOWS[workflow], IDS[id], x, options) {
            Ok(mut run) => {
                // Some wait for it to be accepted, and all are told of its end.
                if self.next().is_multiple_of(2) && run.accepted().await.is_ok() {
                    self.left.borrow_mut().accepted.insert(IDS[id].into());
                }
                let _ = (&mut run).now_or_never();
                self.handles.borrow_mut().push((IDS[id].into(), run));
            }
            Err(error) => self.look_at(Err(error)),
        }
    }

    async fn send(&self, to: Id, channel: usize, key: u8) {
        let (id, number) = (to.text(), self.next());
        let post = self.executor.send(&id, CHANNELS[channel], number);
        let sent = match channel {
            KEYED => post.key(key).await,
            _ => post.await,
        };
        if sent.is_ok() && channel != KEYED {
            self.left.borrow_mut().sent.push((id, number));
        }
        self.look_at(sent);
    }

    /// What calls may answer.
    fn look_at(&self, told: Result<(), Error>) {
        let Err(error) = told else { return };
        let message = format!("{error}");
        let is_known = error.is_not_found()
            || error.is_ended()
            || error.is_store()
            || error.is_closed()
            || error.is_parked()
            || ["is parked", "not parked", "not registered", "is one of workflow", "has not ended"]
                .iter()
                .any(|known| message.contains(known));
        if !is_known {
            self.note_wrong(format!("somebody was told: {error:?}"));
        }
        if message.contains("diverged") {
            self.note_wrong(message);
        }
    }
}
