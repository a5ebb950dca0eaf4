//! Questions: who waits for which answer, and where it comes from.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use dacapo_store::{History, RunKey};

use super::Engine;
use super::write::Writer;
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::inbox::{Address, Keyed, UNANSWERED};
use crate::instance::{Arrival, Extra, Phase, Receiver};
use crate::ledger::{Draft, Ledger, What};
use crate::message::Message;
use crate::record::{Mark, Outcome, Record};
use crate::watch::Watch;

/// What is known of a question.
enum Known {
    Open(RunKey, Rc<Cell<u64>>),
    Answered(Outcome<'static>),
}

impl Engine {
    /// Somebody waits for the answer to a question that is committed. It may be there: this commit may
    /// have brought it, or the end of the run.
    pub(super) fn await_answer(&self, run: RunKey, seq: u64, asker: Rc<Watch>) {
        let resident = self.ledgers.resident(run);
        let answer = match resident.filter(|run| run.phase.get() != Phase::Closed) {
            Some(run) => {
                let answer = |extra: &Extra| extra.inbox.borrow().answer_at(seq);
                Ok(run.has_extra().and_then(answer).map(Ok))
            }
            None => self.answer_in_store(run, seq),
        };
        match answer {
            Ok(Some(answer)) => asker.end(answer),
            Ok(None) => self.askers.add(run, seq, asker),
            Err(error) => asker.end(Err(error)),
        }
    }

    /// The answer to a question, or that there never is one.
    fn answer_in_store(&self, run: RunKey, at: u64) -> Result<Option<Result<Outcome<'static>>>> {
        let history = self.store.borrow().history(run).map_err(|error| Error::store(&error))?;
        let answer = answer_in(&history, at).map(Ok);
        let last = history.last().map(|entry| Record::read(entry.record));
        let none = Err(Error::of(Kind::Ended, UNANSWERED));
        let has_ended = matches!(last, Some(Ok(Record::Finished { .. })));
        Ok(answer.or(has_ended.then_some(none)))
    }

    /// Something was committed: perhaps it is the answer to a question, or says that there is none.
    pub(super) fn tell_askers(&self, draft: &Draft) {
        if self.askers.is_empty() {
            return;
        }
        let run = draft.to.key;
        match &draft.what {
            What::Mark(made) => {
                if let Mark::Answered { seq, outcome } = &made.mark {
                    self.askers.tell(run, *seq, outcome);
                }
            }
            What::Record(record) if matches!(**record, Record::Finished { .. }) => {
                self.askers.end(run);
            }
            What::Delete => self.askers.end(run),
            What::Record(_)
            | What::Request(_)
            | What::Again(_)
            | What::Message(_)
            | What::ChildEnded(_)
            | What::Park(_)
            | What::Hold(_)
            | What::Retry(_)
            | What::Copy(_)
            | What::Resume => {}
        }
    }
}

impl Writer<'_> {
    /// A question is recorded with the run that is asked, unless its key was before; who asks waits for
    /// the answer, or has it.
    pub(super) fn ask(
        &mut self,
        to: &str,
        found: Result<Receiver>,
        question: &Message,
        asker: &Rc<Watch>,
    ) {
        let known = found.and_then(|receiver| self.question(&receiver, question));
        let known = known.or_else(|error| match error.is_ended() {
            true => self.known_of_ended(to, question)?.ok_or(error),
            false => Err(error),
        });
        let arrival = match known {
            Ok(Known::Open(run, seq)) => Arrival::Asks(run, seq, asker.clone()),
            Ok(Known::Answered(answer)) => Arrival::Answered(asker.clone(), Box::new(Ok(answer))),
            Err(error) => Arrival::Answered(asker.clone(), Box::new(Err(error))),
        };
        self.elsewhere().arrivals.push(arrival);
    }

    fn question(&mut self, receiver: &Receiver, question: &Message) -> Result<Known> {
        let run = self.ledger(receiver).key;
        let seq = Rc::<Cell<u64>>::default();
        if let Some(key) = &question.key {
            let place = (run, Rc::from(&*question.channel), key.clone());
            if let Some(seq) = self.elsewhere().questions.get(&place) {
                return Ok(Known::Open(run, seq.clone()));
            }
            if let Some(known) = self.known(receiver, &question.channel, key)? {
                return Ok(known);
            }
            self.elsewhere().questions.insert(place, seq.clone());
        }
        let draft = self.draft_for(receiver, What::Message(question.clone()));
        self.elsewhere().arrivals.push(Arrival::Question(draft, seq.clone()));
        Ok(Known::Open(run, seq))
    }

    /// The question that came with this key before.
    fn known(&mut self, receiver: &Receiver, name: &str, key: &str) -> Result<Option<Known>> {
        let run = self.ledger(receiver).key;
        let id = match receiver {
            Receiver::Resident(resident) if resident.phase.get() != Phase::Closed => {
                let to = Address { channel: name, is_question: true };
                let known = |keyed: &Keyed| match &keyed.answer {
                    Some(answer) => Known::Answered(answer.clone()),
                    None => Known::Open(run, Rc::new(Cell::new(keyed.seq))),
                };
                let Some(extra) = resident.has_extra() else { return Ok(None) };
                return Ok(extra.inbox.borrow().keyed(to, key).map(known));
            }
            // Parked: what it had delivered may not be all.
            Receiver::Resident(parked) => Rc::<str>::from(&*parked.id),
            Receiver::Guest(run) => Rc::from(&*self.elsewhere().guests[run].row.id),
        };
        let history = self.engine.store.borrow().history(run);
        let history = history.map_err(|error| self.unreadable(&id, error))?;
        Ok(in_history(run, &history, name, key))
    }

    /// The question as a run knew it that has ended, or is about to with this batch.
    fn known_of_ended(&mut self, id: &str, question: &Message) -> Result<Option<Known>> {
        let Some(key) = &question.key else { return Ok(None) };
        if let Some(run) = self.engine.ledgers.with_id(id) {
            return self.known(&Receiver::Resident(run), &question.channel, key);
        }
        let row = self.engine.store.borrow().find(id);
        let Some(row) = row.map_err(|error| self.unreadable(id, error))? else { return Ok(None) };
        let history = self.engine.store.borrow().history(row.key);
        let history = history.map_err(|error| self.unreadable(id, error))?;
        let known = in_history(row.key, &history, &question.channel, key);
        Ok(known.filter(|known| matches!(known, Known::Answered(_))))
    }

    /// What the last marks of a pass did must go over to the next with this commit, before they are
    /// delivered.
    pub(super) fn note_last_mark(&mut self, run: &Ledger, mark: &Mark<'static>) {
        let Some(run) = self.engine.ledgers.instance(run).filter(|run| run.goes_on()) else {
            return;
        };
        match mark {
            Mark::Published { topic, value } => {
                run.extra().topics.borrow_mut().publish(topic, value);
            }
            Mark::Answered { seq, outcome } => {
                run.extra().inbox.borrow_mut().answer(*seq, outcome);
            }
            Mark::ChildDropped
            | Mark::ChildDetached
            | Mark::ChildStarted { .. }
            | Mark::Patched { .. } => {}
        }
    }

    /// The questions among `messages`, each with its seq in the pass that ends, will be the first that
    /// come to the next pass.
    pub(super) fn pass_questions_on(
        &mut self,
        from: RunKey,
        next: &Rc<Ledger>,
        messages: &[(u64, Message)],
    ) {
        let mut seqs = Vec::new();
        for (seq, (before, message)) in (next.next_seq.get()..).zip(messages) {
            if message.is_question {
                seqs.push((*before, seq));
                if let Some(key) = &message.key {
                    let place = (next.key, Rc::from(&*message.channel), key.clone());
                    self.elsewhere().questions.insert(place, Rc::new(Cell::new(seq)));
                }
            }
        }
        self.elsewhere().arrivals.push(Arrival::Passed { from, to: next.key, seqs });
    }
}

fn answer_in(history: &History, at: u64) -> Option<Outcome<'static>> {
    history.iter().find_map(|entry| match Record::read(entry.record) {
        Ok(Record::Marked { mark: Mark::Answered { seq, outcome }, .. }) if seq == at => {
            Some(outcome.map(Bytes::into_owned))
        }
        Ok(_) | Err(_) => None,
    })
}

/// The question with this key, as a history has it.
fn in_history(run: RunKey, history: &History, name: &str, with: &str) -> Option<Known> {
    let mut known = None;
    let mut at = None;
    for entry in history.iter() {
        let Ok(record) = Record::read(entry.record) else { continue };
        if let Record::Submitted(submission) = &record {
            let answer = submission.carried.answer(name, with).cloned();
            known = answer.map(|answer| Known::Answered(answer.map(Bytes::into_owned)));
        }
        if let Record::MessageArrived { channel, key: Some(key), is_question: true, .. } = record
            && (channel, key) == (name, with)
        {
            at = Some(entry.seq);
            known = Some(Known::Open(run, Rc::new(Cell::new(entry.seq))));
        }
        if let Record::Marked { mark: Mark::Answered { seq, outcome }, .. } = record
            && at == Some(seq)
        {
            known = Some(Known::Answered(outcome.map(Bytes::into_owned)));
        }
    }
    known
}
