//! Values as the types of this program show them.

use core::fmt;

use super::sources::Sources;
use super::{Executor, admit};
use crate::engine::no_such_run;
use crate::error::Result;
use crate::history::HistoryValue;
use crate::values::Shows;

/// The values of a run, as the types of this program show them; see [`Executor::typed_values`].
#[derive(Clone, Default)]
pub struct TypedValues {
    shows: Shows,
    sources: Sources,
}

impl TypedValues {
    /// Where the operations of the run stand in the source, which is known from the same rehearsal.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Calls `see` with a value of that run as its type, if that is known.
    ///
    /// It is not of what this program's code of the run did not read in its replay, as what was published, nor of a
    /// value with a [`Secret`](crate::Secret) in it, which the type itself would show:
    /// [`HistoryValue::view`] shows these. Gives whether `see` was called.
    pub fn see(
        &self,
        value: &HistoryValue,
        see: &mut dyn FnMut(&dyn erased_serde::Serialize),
    ) -> bool {
        let Some(detached) = value.detached() else { return false };
        let Some(show) = self.shows.get(detached) else { return false };
        match value.view(usize::MAX) {
            Ok((view, _)) if !view.has_secret() => show(detached, see).is_ok(),
            Ok(_) | Err(_) => false,
        }
    }
}

impl Executor {
    /// How the types of this program show the values of a run: a `Uuid` as one, where the recorded shape has sixteen
    /// bytes. The run is rehearsed, and what its code reads in that is known by its type; nothing is kept of
    /// types beside it.
    ///
    /// The executor does nothing else meanwhile, and the code of the workflow runs, without its bodies. A run that
    /// this code does not repeat has types up to there.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`Error::is_not_found`](crate::Error::is_not_found)), if its workflow is not
    /// registered, or the store failed.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, HistoryEvent, Workflow};
    /// use uuid::Uuid;
    ///
    /// const MARK: Workflow<Uuid, ()> = Workflow::new("mark");
    ///
    /// let executor = Executor::builder()
    ///     .workflow(MARK, async |_: &Ctx, _: Uuid| Ok::<_, Error>(()))
    ///     .in_memory();
    /// executor.block_on(executor.start(MARK, "one", Uuid::from_u128(7))?)?;
    /// let first = executor.history("one", 0..1)?.entries.remove(0);
    /// let HistoryEvent::Started { input, .. } = first.event else { unreachable!("it is the first") };
    /// let mut shown = String::new();
    /// let is_known = executor
    ///     .typed_values("one")?
    ///     .see(&input, &mut |value| shown = serde_json::to_string(value).expect("it is text"));
    /// assert!(is_known);
    /// assert_eq!(shown, r#""00000000-0000-0000-0000-000000000007""#);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn typed_values(&self, id: &str) -> Result<TypedValues> {
        let engine = &self.shared.engine;
        admit(engine, format_args!("run {id:?} cannot be looked at"))?;
        let Some(row) = engine.find(id)? else { return Err(no_such_run(id)) };
        if engine.ends_processes(&row) {
            return Ok(TypedValues::default());
        }
        let values = self.values();
        let (rehearsed, shows) = values.shows_in(|| {
            let (places, rehearsed) = engine.rehearse_places(&row)?;
            if rehearsed.is_ok() && row.state.has_ended() {
                engine.read_output(&row)?;
            }
            Ok(Sources::new(&row, places, rehearsed))
        });
        rehearsed.map(|sources| TypedValues { shows, sources })
    }
}

impl fmt::Debug for TypedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedValues").field("values", &self.shows.len()).finish()
    }
}
