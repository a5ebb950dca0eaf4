//! The workflows of this build: durable names to functions.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;

use crate::codec::{self, Value};
use crate::context::Ctx;
use crate::error::{BoxError, Error, Failure};
use crate::instance::{Code, Root};
use crate::name::Workflow;
use crate::record::Outcome;

/// All workflows that an executor can run.
#[derive(Default)]
pub(crate) struct Registry {
    workflows: BTreeMap<&'static str, Rc<Code>>,
}

impl Registry {
    /// # Panics
    ///
    /// Panics if the name is registered already.
    pub(crate) fn add<I: Value, O: Value, E: Into<BoxError> + 'static>(
        &mut self,
        workflow: Workflow<I, O>,
        body: impl AsyncFn(&Ctx, I) -> Result<O, E> + 'static,
    ) {
        let before = self.workflows.insert(workflow.name(), code(body));
        assert!(before.is_none(), "the workflow {:?} is registered twice", workflow.name());
    }

    /// The registered name and function for a recorded name.
    pub(crate) fn find(&self, name: &str) -> Option<(&'static str, Rc<Code>)> {
        let (&name, code) = self.workflows.get_key_value(name)?;
        Some((name, code.clone()))
    }
}

fn code<I: Value, O: Value, E: Into<BoxError> + 'static>(
    body: impl AsyncFn(&Ctx, I) -> Result<O, E> + 'static,
) -> Rc<Code> {
    let body = Rc::new(body);
    Rc::new(move |run, input| {
        let input = codec::decode::<I>(input).map_err(|why| {
            alloc::format!("the input does not decode as {}: {why}", core::any::type_name::<I>())
        })?;
        let (ctx, body) = (Ctx::next(run.clone()), body.clone());
        // One box for all of it: a sleeping run is hardly more than this.
        let task = ctx.task();
        Ok(Root::new(run, task, async move { ctx.end(recorded(body(&ctx, input).await)) }))
    })
}

/// The form in which a run's result is recorded.
fn recorded<O: Value, E: Into<BoxError>>(result: Result<O, E>) -> Outcome<'static> {
    let output = result.map_err(|error| Failure::from_error(&*error.into()))?;
    codec::encode(&output).map_err(|why| {
        let kind = core::any::type_name::<O>();
        Error::new(alloc::format!("the output, a {kind}, cannot be encoded: {why}")).into_failure()
    })
}
