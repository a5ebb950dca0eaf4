//! What a run has published.

use alloc::rc::Rc;

use crate::instance::Instance;
use crate::operation::Operation;
use crate::record::{Asked, Number, Record};
use crate::topics::published;

impl Instance {
    /// A record was delivered, to whomever: perhaps it published something.
    pub(crate) fn note_published(&self, record: &Record<'_>) {
        if let Some((topic, value)) = published(record) {
            self.extra().topics.borrow_mut().publish(topic, value);
        }
    }

    /// The step with this number, while it may be carried out.
    pub(crate) fn step_under_way(&self, number: Number) -> Option<Rc<Operation>> {
        let operations = self.operations.borrow();
        let waiting = operations.get(number).filter(|_| self.is_running())?;
        matches!(waiting.asked(), Asked::Step { .. } | Asked::StepOf { .. })
            .then(|| waiting.clone())
    }
}
