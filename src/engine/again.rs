//! Runs that go on in another pass: the end of one and the beginning of the next are one commit.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use dacapo_store::RunState;

use super::write::Writer;
use crate::ledger::{Ledger, Passing, What};
use crate::record::{Record, Submission};

impl Writer<'_> {
    /// A pass of a run ends, and the next begins.
    pub(super) fn write_again(&mut self, ledger: &Rc<Ledger>, passing: &Passing) {
        let run = self.engine.ledgers.instance(ledger).expect("whose pass ends is in memory");
        self.push(ledger, |bytes| Record::Again.append(bytes));
        let (id, workflow) = (Rc::from(&*run.id), run.workflow());
        let Passing { input, idle_passes } = passing;
        let keys_since = self.now.minus(self.engine.limits.keep_keys);
        let (carried, messages) = run.leave(*idle_passes, keys_since);
        let (options, pass) = (run.options(), run.pass() + 1);
        let (input, link) = (input.clone(), run.link());
        let submission = Submission { workflow, input, options, link, pass, carried };
        // From here on the next pass waits to be ended, and has what comes.
        run.set_link(None);
        self.put_row(ledger, RunState::Continued, None);
        run.is_end_written.set(true);
        let cause = run.extra().cancelling.cause();
        let children = run.extra().children.all();
        let next = self.begin_run(&id, submission);
        if let Some(watch) = ledger.take_watch() {
            next.set_watch(watch);
        }
        // What comes with this commit finds them there.
        let keys = messages.iter().filter(|(_, message)| !message.is_question);
        let keys = keys.filter_map(|(_, message)| {
            Some((next.key, (&*message.channel).into(), message.key.clone()?))
        });
        self.elsewhere().keys.extend(keys);
        self.pass_questions_on(ledger.key, &next, &messages);
        if cause.is_some() {
            self.elsewhere().cancelled.insert(next.key);
        }
        let messages = messages.into_iter().map(|(_, message)| What::Message(message));
        let cancel = cause.map(|cause| What::Record(Box::new(Record::CancelRequested { cause })));
        for what in messages.chain(cancel).collect::<Vec<_>>() {
            self.add_start(&next, what);
        }
        self.release_all(run.key(), children);
    }

    /// One more record that a run begins with.
    pub(super) fn add_start(&mut self, run: &Rc<Ledger>, what: What) {
        let draft = run.draft(what);
        run.note_written();
        self.write_draft(&draft);
        self.elsewhere().starts.push(draft);
    }
}
