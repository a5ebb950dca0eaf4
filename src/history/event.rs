//! What a record says.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use dacapo_store::RunKey;

use super::{HistoryValue, OperationNumber};
use crate::clock::Timestamp;
use crate::context::Cause;
use crate::error::{Error, Result};

/// What a record of a history says; see [`Executor::history`](crate::Executor::history).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HistoryEvent {
    /// The run was started without options: always its first record.
    #[non_exhaustive]
    Started {
        /// The name of its workflow.
        workflow: String,
        /// What it was started with.
        input: HistoryValue,
    },
    /// The run was started with options or by another run, or a pass of it began: always its first
    /// record.
    #[non_exhaustive]
    Submitted {
        /// The name of its workflow.
        workflow: String,
        /// What it was started with.
        input: HistoryValue,
        /// Which pass of it this is: 1 for the first.
        pass: u32,
        /// The pass before.
        before: Option<RunKey>,
        /// The run that started it, and its operation that waits for the end of this one.
        parent: Option<(RunKey, OperationNumber)>,
        /// When it is asked to end.
        deadline: Option<Timestamp>,
        /// Names and values by which it is found.
        attributes: Vec<(String, String)>,
        /// The queue that it waits in.
        queue: Option<String>,
        /// The part of the queue that it is in.
        partition: Option<String>,
        /// Smaller ones are admitted first.
        priority: i32,
        /// What no other unended run of the queue has.
        unique: Option<String>,
        /// It does not begin before.
        delayed_until: Option<Timestamp>,
    },
    /// The run that waits to be admitted is to begin with another input, or waits elsewhere.
    #[non_exhaustive]
    Resubmitted {
        /// The new input, if it is one.
        input: Option<HistoryValue>,
        /// When it is asked to end.
        deadline: Option<Timestamp>,
        /// Names and values by which it is found.
        attributes: Vec<(String, String)>,
        /// Its place, as in `Submitted`.
        queue: Option<String>,
        /// The part of the queue that it is in.
        partition: Option<String>,
        /// Smaller ones are admitted first.
        priority: i32,
        /// What no other unended run of the queue has.
        unique: Option<String>,
        /// It does not begin before.
        delayed_until: Option<Timestamp>,
    },
    /// The run that was submitted begins.
    Admitted,
    /// An operation has its outcome.
    #[non_exhaustive]
    Ended {
        /// The operation.
        number: OperationNumber,
        /// What it is.
        kind: OperationKind,
        /// What distinguishes it from others of its name: the label of a step, the id of the run that
        /// something is sent to or that is started.
        label: Option<String>,
        /// What came of it. That of a sleep or a send has no bytes.
        outcome: Result<HistoryValue>,
        /// How many attempts were made of a step.
        attempts: u32,
        /// When the first attempt of the process that ended it began; of what is no step, the time of this
        /// record.
        began_at: Timestamp,
        /// How long it took from then to its outcome.
        took: Duration,
    },
    /// A step that runs at most once may have begun.
    #[non_exhaustive]
    Begun {
        /// The step.
        number: OperationNumber,
    },
    /// The end of a process interrupted a step, or may have; it runs again.
    #[non_exhaustive]
    Interrupted {
        /// The step.
        number: OperationNumber,
    },
    /// A step does not begin yet, after a process ended.
    #[non_exhaustive]
    Deferred {
        /// The step.
        number: OperationNumber,
    },
    /// An attempt of a step failed, and another one follows.
    #[non_exhaustive]
    AttemptFailed {
        /// The step.
        number: OperationNumber,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// Why it failed.
        error: Error,
        /// When the next one is made.
        next_at: Timestamp,
    },
    /// A run was started that this one waits for.
    #[non_exhaustive]
    ChildStarted {
        /// The operation that waits.
        number: OperationNumber,
        /// The name of its workflow.
        workflow: String,
        /// Its id.
        id: String,
    },
    /// A request has left for another store.
    #[non_exhaustive]
    Left {
        /// The request.
        number: OperationNumber,
    },
    /// A message arrived.
    #[non_exhaustive]
    Message {
        /// The channel, or the name of the question.
        channel: String,
        /// What it holds.
        value: HistoryValue,
        /// The key by which it arrives once.
        key: Option<String>,
        /// Whether somebody waits for an answer.
        is_question: bool,
    },
    /// The run was asked to end.
    #[non_exhaustive]
    CancelRequested {
        /// By whom.
        cause: Cause,
    },
    /// The run was ended, whatever its code would have done.
    Terminated,
    /// The code published a value.
    #[non_exhaustive]
    Published {
        /// The number that this took.
        number: OperationNumber,
        /// The topic.
        topic: String,
        /// The value.
        value: HistoryValue,
    },
    /// The body of a step published a value.
    #[non_exhaustive]
    Reported {
        /// The step.
        number: OperationNumber,
        /// Which attempt of it, from 1.
        attempt: u32,
        /// The topic.
        topic: String,
        /// The value.
        value: HistoryValue,
    },
    /// The code answered a question.
    #[non_exhaustive]
    Answered {
        /// The receive that took the question.
        number: OperationNumber,
        /// Where the question stands in the history.
        question: u64,
        /// The answer.
        outcome: Result<HistoryValue>,
    },
    /// The code no longer waits for a run that it started, and that run is asked to end.
    #[non_exhaustive]
    ChildDropped {
        /// The operation that waited.
        number: OperationNumber,
    },
    /// The code no longer waits for a run that it started, and that run goes on.
    #[non_exhaustive]
    ChildDetached {
        /// The operation that waited.
        number: OperationNumber,
    },
    /// The code started a run for which it does not wait.
    #[non_exhaustive]
    DetachedStarted {
        /// The number that this took.
        number: OperationNumber,
        /// The name of its workflow.
        workflow: String,
        /// Its id.
        id: String,
    },
    /// The code asked for a change, and takes the new way ([`Ctx::patched`](crate::Ctx::patched)).
    #[non_exhaustive]
    Patched {
        /// The name of the change.
        name: String,
        /// So many records had been delivered.
        at: u64,
    },
    /// A message is left out, since it could not be read.
    #[non_exhaustive]
    MessageSkipped {
        /// Where the message stands in the history.
        message: u64,
    },
    /// The run had failed, and was taken up again.
    #[non_exhaustive]
    Retried {
        /// Failures from here on count no longer, nor what the code did about them.
        from: u64,
    },
    /// What stands before this was copied from another run.
    #[non_exhaustive]
    Forked {
        /// The id of the other run.
        from: String,
        /// Where its history was cut.
        at: u64,
    },
    /// What stands before this comes from another file.
    Moved,
    /// This pass has ended, and the run goes on in another: always its last record.
    Again,
    /// The run has ended: always its last record.
    #[non_exhaustive]
    Finished {
        /// What it returned.
        outcome: Result<HistoryValue>,
        /// Whether its code was dropped, since it was asked to end.
        was_dropped: bool,
    },
    /// The record cannot be read: it is damaged, or of a later build.
    #[non_exhaustive]
    Unreadable {
        /// What is wrong.
        why: String,
    },
}

/// What an operation is, with its name.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OperationKind {
    /// A step, with its name.
    Step(String),
    /// A sleep or a time limit, with its end.
    Sleep(Timestamp),
    /// A message to another run, with its channel.
    Send(String),
    /// The wait for a message or a question, with the channel's name.
    Receive(String),
    /// A run that was started, with the name of its workflow.
    Child(String),
}
