//! What a run's code asked for and is carried out by a commit, in the order in which it asked.

use alloc::rc::Rc;

use crate::fault::Fault;
use crate::operation::Operation;
use crate::record::{Mark, Number};

/// Something that the code did without awaiting it.
pub(crate) struct Made {
    pub(crate) number: Number,
    pub(crate) mark: Mark<'static>,
    /// The child that it is about.
    pub(crate) child: Option<Rc<Operation>>,
    /// Why it cannot be recorded. That parks the run, unless the history has it.
    pub(crate) refusal: Option<Fault>,
}

/// See the module.
pub(crate) enum Ask {
    Request(Rc<Operation>),
    Mark(Rc<Made>),
}
