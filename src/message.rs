//! What requests hand over: messages, and children.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;

use crate::bytes::Bytes;
use crate::error::Error;
use crate::start::Later;

/// What a request hands over.
pub(crate) struct Outgoing {
    /// The id of the run that it is for, or that it starts.
    pub(crate) to: Rc<str>,
    pub(crate) parcel: Parcel,
    /// Where that run was found last.
    pub(crate) spot: Cell<Option<Spot>>,
}

/// Where a run was found, as long as no run comes into memory or leaves it.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    pub(crate) slot: u32,
    /// How many had come and left by then.
    pub(crate) moves: u32,
}

impl Outgoing {
    pub(crate) fn new(to: Rc<str>, parcel: Parcel) -> Self {
        Self { to, parcel, spot: Cell::default() }
    }
}

pub(crate) enum Parcel {
    Message(Message),
    Child(Box<Birth>),
    /// What cannot be recorded: that is its outcome, unless the history has another one. A replay may
    /// judge otherwise than was judged before, by another limit or a shape that has grown.
    Refused(Error),
}

/// A message for a channel of some run.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) channel: Cow<'static, str>,
    pub(crate) payload: Bytes<'static>,
    /// A message with a key that the channel had before is not recorded again.
    pub(crate) key: Option<Rc<str>>,
    /// Whether somebody waits for its answer.
    pub(crate) is_question: bool,
}

/// How a child begins.
#[derive(Clone)]
pub(crate) struct Birth {
    pub(crate) workflow: &'static str,
    pub(crate) input: Bytes<'static>,
    pub(crate) options: Later,
}

/// A message that has arrived, and where it stands in the history.
pub(crate) struct Arrived {
    pub(crate) seq: u64,
    pub(crate) payload: Bytes<'static>,
    pub(crate) key: Option<Rc<str>>,
}

impl Arrived {
    /// Free of the record that it came with.
    pub(crate) fn new(seq: u64, payload: &Bytes<'_>, key: Option<&str>) -> Self {
        Self { seq, payload: payload.clone().into_owned(), key: key.map(Rc::from) }
    }
}
