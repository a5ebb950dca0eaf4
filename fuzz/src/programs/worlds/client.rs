//! What somebody outside of the runs does.

use std::time::Duration;

use dacapo::{Debounce, Error, Handle, Start};
use futures::FutureExt;

use super::super::decode::Decoder;
use super::super::live::Output;
use super::super::talk::{
    CHANNELS, GARBAGE, GARBLED, GARBLED_QUESTION, IDS, INBOXES, KEYED, QUESTION, QUESTIONS, TOPICS,
    WORKFLOWS,
};
use super::life::Process;
use super::queues::{Place, QUEUES};
use super::told::{Asker, Follower, series};

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Sleep(u64),
    Start {
        id: usize,
        workflow: usize,
        deadline_ms: Option<u64>,
        place: Option<Place>,
    },
    /// What waits is to wait somewhere else.
    Requeue(Id, Place),
    PauseQueue(usize),
    ResumeQueue(usize),
    DrainQueue(usize),
    /// A call that replaces the input of the one before, if that has not begun.
    Debounce {
        workflow: usize,
        key: u8,
        at_most_ms: u64,
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
    /// It takes up what has failed, or was cancelled.
    Retry(Id),
    /// It wakes what runs left with it.
    Wake,
    Mend,
    Verify(Id),
    Ask {
        to: Id,
        key: Option<u8>,
    },
    /// The same question twice in one commit.
    AskTwice {
        to: Id,
        key: u8,
    },
    /// It sends what the run cannot read.
    Garble {
        to: Id,
        inbox: usize,
    },
    /// All runs that are parked for a message that they cannot read.
    ResumeSkipping,
    Latest {
        of: Id,
        topic: usize,
    },
    Follow {
        of: Id,
        topic: usize,
        from: u64,
    },
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
        if self.has_queues && self.below(5) == 0 {
            return self.arrange();
        }
        if self.is_full && self.below(3) == 0 {
            return self.ask_or_look();
        }
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
            26 => Action::Resume(self.id()),
            27 => Action::Retry(self.id()),
            28 => Action::Wake,
            29 => Action::Mend,
            30 => Action::Verify(self.id()),
            _ => Action::Sleep(100_000),
        }
    }

    fn arrange(&mut self) -> Action {
        let queue = usize::from(self.below(QUEUES.len() as u8));
        let (id, place) = (self.id(), self.place());
        match (self.below(8), place) {
            (0 | 1, Some(place)) => Action::Requeue(id, place),
            (0..=2, _) => Action::PauseQueue(queue),
            (3 | 4, _) => Action::ResumeQueue(queue),
            (5, _) => Action::DrainQueue(queue),
            _ => Action::Debounce {
                workflow: usize::from(self.below(4)),
                key: self.below(2),
                at_most_ms: [20, 1_000][usize::from(self.below(2))],
            },
        }
    }

    fn ask_or_look(&mut self) -> Action {
        let to = self.id();
        match self.below(16) {
            0..=2 => Action::Ask { to, key: None },
            3..=5 => Action::Ask { to, key: Some(self.below(2)) },
            6 => Action::AskTwice { to, key: self.below(2) },
            7 | 8 => Action::Garble { to, inbox: usize::from(self.below(INBOXES.len() as u8)) },
            9 | 10 => Action::ResumeSkipping,
            11 | 12 => Action::Latest { of: to, topic: self.topic() },
            _ => Action::Follow { of: to, topic: self.topic(), from: self.below(4).max(1).into() },
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
        let deadline_ms = deadlines[usize::from(self.below(10))];
        Action::Start { id, workflow, deadline_ms, place: self.place() }
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
            self.followers.borrow_mut().iter_mut().for_each(Follower::read);
        }
    }

    async fn one(&self, action: Action) {
        match action {
            Action::Sleep(millis) => self.sleep(millis).await,
            Action::Start { id, workflow, deadline_ms, place } => {
                self.start(id, workflow, deadline_ms, place).await;
            }
            Action::Requeue(id, place) => {
                let told = self.executor.requeue(&id.text(), place.add(Start::new())).await;
                self.look_at(told);
            }
            Action::PauseQueue(queue) => {
                let told = self.executor.pause_queue(QUEUES[queue]).await;
                self.look_at(told);
            }
            Action::ResumeQueue(queue) => {
                let told = self.executor.resume_queue(QUEUES[queue]).await;
                self.look_at(told);
            }
            Action::DrainQueue(queue) => {
                let told = self.executor.drain_queue(QUEUES[queue]).await;
                self.look_at(told.map(drop));
            }
            Action::Debounce { workflow, key, at_most_ms } => {
                let wait = Debounce::new(Duration::from_millis(10));
                let wait = wait.at_most(Duration::from_millis(at_most_ms));
                let (workflow, x) = (WORKFLOWS[workflow], self.next());
                let key = format!("{}-{key}", workflow.name());
                self.started(self.executor.debounce(workflow, &key, wait, x)).await;
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
                self.left.borrow_mut().exempt.runs.insert(id.text());
                let told = self.executor.resume(&id.text());
                self.look_at(told);
            }
            Action::Retry(id) => {
                let id = id.text();
                let told = self.executor.retry(&id);
                // Whatever it was told, it may be taken up, and end anew.
                let mut left = self.left.borrow_mut();
                left.exempt.runs.insert(id.clone());
                left.retried.insert(id);
                drop(left);
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
            Action::Ask { to, key } => self.ask(to, key),
            Action::AskTwice { to, key } => {
                self.ask(to, Some(key));
                self.ask(to, Some(key));
            }
            Action::Garble { to, inbox: QUESTIONS } => {
                let id = to.text();
                let mut asking = self.executor.ask(&id, GARBLED_QUESTION, GARBAGE.into());
                let _ = (&mut asking).now_or_never();
            }
            Action::Garble { to, inbox } => {
                let id = to.text();
                let told = self.executor.send(&id, GARBLED[inbox], GARBAGE.into()).await;
                self.look_at(told);
            }
            Action::ResumeSkipping => {
                for run in self.executor.parked().unwrap_or_default() {
                    self.left.borrow_mut().exempt.runs.insert(run.id.clone());
                    let told = self.executor.resume_skipping(&run.id);
                    self.look_at(told);
                }
            }
            Action::Latest { of, topic } => self.look(of, topic),
            Action::Follow { of, topic, from } => self.follow(of, topic, from - 1),
        }
    }

    /// It asks, and whoever is told of the answer is told later.
    fn ask(&self, to: Id, key: Option<u8>) {
        let (id, question) = (to.text(), self.next());
        let asking = self.executor.ask(&id, QUESTION, question);
        let asking = match key {
            Some(key) => asking.key(key),
            None => asking,
        };
        let mut asker = Asker { id, question, key, asking, told: None };
        asker.poll();
        self.askers.borrow_mut().push(asker);
    }

    /// What a run published last is what its history says.
    fn look(&self, of: Id, topic: usize) {
        let id = of.text();
        let expected = self.runs().and_then(|runs| series(&runs, &id, topic));
        let expected = expected.map(|series| series.last().copied());
        match (self.executor.latest(&id, TOPICS[topic]), expected) {
            (Ok(latest), Ok(expected)) if latest == expected => {}
            (Err(error), Ok(None)) => self.look_at(Err(error)),
            (Err(error), Ok(_)) if error.is_store() || error.is_closed() => {}
            (latest, expected) => {
                let topic = TOPICS[topic].name();
                self.note_wrong(format!(
                    "latest of {id:?} on {topic}: {latest:?}, not {expected:?}"
                ));
            }
        }
    }

    fn follow(&self, of: Id, topic: usize, from: u64) {
        let id = of.text();
        let follow = self.executor.follow(&id, TOPICS[topic], from);
        let values = Vec::new();
        let mut follower = Follower { id, topic, from, follow, values, error: None };
        follower.read();
        self.followers.borrow_mut().push(follower);
    }

    pub(super) async fn sleep(&self, millis: u64) {
        self.sim.clock().sleep(Duration::from_millis(millis)).await;
    }

    async fn start(
        &self,
        id: usize,
        workflow: usize,
        deadline_ms: Option<u64>,
        place: Option<Place>,
    ) {
        let options = match deadline_ms {
            Some(millis) => Start::new().timeout(Duration::from_millis(millis)),
            None => Start::new(),
        };
        let options = match place {
            Some(place) => place.add(options),
            None => options,
        };
        let x = self.world.seed;
        self.started(self.executor.start_with(WORKFLOWS[workflow], IDS[id], x, options)).await;
    }

    async fn started(&self, started: Result<Handle<Output>, Error>) {
        match started {
            Ok(mut run) => {
                // One with its key may have another id.
                let id = run.id().to_owned();
                // Some wait for it to be accepted, and all are told of its end.
                if self.next().is_multiple_of(2) && run.accepted().await.is_ok() {
                    self.left.borrow_mut().accepted.insert(id.clone());
                }
                let _ = (&mut run).now_or_never();
                self.handles.borrow_mut().push((id, run));
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
            || error.is_taken()
            || [
                "is parked",
                "not parked",
                "not parked for a message",
                "not registered",
                "is one of workflow",
                "has not ended",
                "nothing to retry",
                "has not failed",
                "has begun",
            ]
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
