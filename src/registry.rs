//! The workflows of this build: durable names to functions.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;

use futures::future::LocalBoxFuture;

use crate::codec::{self, Value};
use crate::context::Ctx;
use crate::error::{BoxError, Error, Failure};
use crate::name::Workflow;
use crate::record::Outcome;

/// A workflow's function without its types: the root's future from an encoded input.
pub(crate) type Code =
    dyn Fn(Ctx, &[u8]) -> Result<LocalBoxFuture<'static, Outcome<'static>>, String>;

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
    Rc::new(move |ctx, input| {
        let input = codec::decode::<I>(input).map_err(|why| {
            alloc::format!("the input does not decode as {}: {why}", core::any::type_name::<I>())
        })?;
        let body = body.clone();
        Ok(Box::pin(async move { recorded(body(&ctx, input).await) }))
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
