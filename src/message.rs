//! Messages, on their way to a run.

use alloc::rc::Rc;

use crate::bytes::Bytes;

/// What a send hands over.
pub(crate) struct Outgoing {
    pub(crate) to: Rc<str>,
    pub(crate) message: Message,
}

/// A message for a channel of some run.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) channel: &'static str,
    pub(crate) payload: Bytes<'static>,
    /// A message with a key that the channel had before is not recorded again.
    pub(crate) key: Option<Rc<str>>,
}

/// A message that has arrived, and where it stands in the history.
pub(crate) struct Arrived {
    pub(crate) seq: u64,
    pub(crate) payload: Bytes<'static>,
}
