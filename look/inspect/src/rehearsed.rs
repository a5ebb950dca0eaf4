//! What a rehearsal of a run tells of it: the types of its values, and where its operations stand in the source.

#[cfg(not(feature = "view"))]
use dacapo::Sources;
#[cfg(feature = "view")]
use dacapo::TypedValues;
use dacapo::store::RunKey;
use dacapo::{Executor, HistoryValue, OperationNumber};

/// What is known of a run by its code; nothing, if this program has none or does not run it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Rehearsed {
    #[cfg(feature = "view")]
    types: TypedValues,
    /// The types have them, too.
    #[cfg(not(feature = "view"))]
    sources: Sources,
}

impl Rehearsed {
    /// Of the newest pass alone: the ones before have other code.
    pub(crate) fn of(executor: &Executor, id: &str, key: RunKey) -> Self {
        if executor.info(id).is_ok_and(|now| now.key == key) {
            Self {
                #[cfg(feature = "view")]
                types: executor.typed_values(id).unwrap_or_default(),
                #[cfg(not(feature = "view"))]
                sources: executor.sources(id).unwrap_or_default(),
            }
        } else {
            Self::default()
        }
    }

    /// A value as its type shows it, if that is known.
    #[cfg(feature = "view")]
    pub(crate) fn text(&self, recorded: &HistoryValue) -> Option<String> {
        let mut text = None;
        // What is no JSON, as a map whose keys are no texts, is shown by its shape.
        self.types.see(recorded, &mut |value| text = serde_json::to_string(value).ok());
        text
    }

    /// This build knows no types.
    #[cfg(not(feature = "view"))]
    pub(crate) fn text(&self, _: &HistoryValue) -> Option<String> {
        None
    }

    /// The line that makes an operation: `src/order.rs:41`.
    pub(crate) fn source(&self, number: OperationNumber) -> Option<String> {
        #[cfg(feature = "view")]
        let sources = self.types.sources();
        #[cfg(not(feature = "view"))]
        let sources = &self.sources;
        sources.of(number).map(|source| source.to_string())
    }
}
