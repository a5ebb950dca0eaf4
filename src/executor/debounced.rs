//! Runs that wait for the last of several calls.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use super::{Executor, Found, admit, unfit_input};
use crate::bytes::Bytes;
use crate::error::{Error, Kind, Result};
use crate::executor::Handle;
use crate::instance::{Change, PostWhat, Replaced};
use crate::name::Workflow;
use crate::queue::Debounce;
use crate::record::{Options, Place};
use crate::values::{Value, Values};

impl Executor {
    /// Starts a run when no call with this key has come for a while, with the input of the last one: one
    /// run for a burst of calls.
    ///
    /// The first call submits the run, `key@` and a number; each of those that follow replaces its input and
    /// has it wait anew, up to a [cap](Debounce::at_most). A call that comes when the run has been admitted
    /// begins another one. Keys of two workflows have nothing to do with each other.
    ///
    /// [`Handle::accepted`] is ready when this input is committed: from then on no crash can lose it, but
    /// that a later one takes its place.
    ///
    /// # Errors
    ///
    /// As with [`start`](Self::start).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use dacapo::{Ctx, Error, Executor, Workflow, sim::VirtualClock};
    /// use dacapo::Debounce;
    ///
    /// const INDEX: Workflow<String, String> = Workflow::new("index");
    /// let index = async |_: &Ctx, text: String| Ok::<_, Error>(text);
    /// let builder = Executor::builder().workflow(INDEX, index).clock(VirtualClock::default());
    /// let executor = builder.in_memory();
    /// let quiet = Debounce::new(Duration::from_secs(2)).at_most(Duration::from_secs(60));
    /// let first = executor.debounce(INDEX, "page-7", quiet, "d".into())?;
    /// let last = executor.debounce(INDEX, "page-7", quiet, "draft".into())?;
    /// assert_eq!(first.id(), last.id());
    /// assert_eq!(executor.block_on(first)?, "draft");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn debounce<I: Value, O: Value>(
        &self,
        workflow: Workflow<I, O>,
        key: &str,
        wait: Debounce,
        input: I,
    ) -> Result<Handle<O>> {
        let encode = |values: &Values| values.encode(&input);
        let (is_new, (id, watch)) = self.debounce_encoded(workflow.name(), key, wait, encode)?;
        let handle = Handle::new(id, watch, self.values().clone());
        Ok(if is_new { handle.started() } else { handle })
    }

    /// The same with an input in bytes: whether the call has submitted the run, and where to wait.
    pub(crate) fn debounce_encoded(
        &self,
        workflow: &'static str,
        key: &str,
        wait: Debounce,
        input: impl FnOnce(&Values) -> Result<Bytes<'static>, dacapo_values::Error>,
    ) -> Result<(bool, Found)> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("calls of {key:?} cannot be debounced"))?;
        let input = input(self.values()).map_err(|why| unfit_input(key, &why))?;
        let place = Place {
            queue: wait.queue.map(|queue| queue.name().to_string()),
            // Keys of a workflow, and none that `Start::unique` has by chance.
            unique: Some(format!("calls of {workflow:?} for {key:?}")),
            is_debounced: true,
            ..Place::default()
        };
        if let Some(waiting) = engine.holder(&place)?.filter(|row| !engine.is_being_ended(&row.id))
        {
            if waiting.queue.as_ref().is_none_or(|queued| !queued.is_debounced) {
                let message = format_args!("run {:?} has the unique key of {key:?}", waiting.id);
                return Err(Error::of(Kind::Taken, message));
            }
            let found = self.find(workflow, &waiting.id)?;
            let (id, watch) = found.ok_or_else(|| super::no_such_run(&waiting.id))?;
            let replaced = Replaced::Time { wait: wait.wait, cap: wait.cap };
            let change = Change { input: Some(input), replaced };
            let receipt = engine.post(&*id, PostWhat::Resubmit(Box::new(change)));
            watch.lead(receipt.clone());
            return Ok((false, (id, receipt)));
        }
        let at = engine.world.timers.present() + wait.wait.min(wait.cap);
        let place = Some(Box::new(Place { eligible_at: Some(at), ..place }));
        let mut id = format!("{key}@{}", engine.next_key().0);
        while engine.ledgers.with_id(&id).is_some() || engine.find(&id)?.is_some() {
            engine.take_key();
            id = format!("{key}@{}", engine.next_key().0);
        }
        let run = engine.start(workflow, &id, input, Options { place, ..Options::default() })?;
        Ok((true, (run.id.clone(), run.ledger.watch())))
    }
}
