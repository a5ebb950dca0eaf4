//! The workflows of this build, durable names to functions, and its queues.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;

use crate::context::Ctx;
use crate::error::{BoxError, Error, Failure, Kind};
use crate::fault::{Fault, ParkReason};
use crate::instance::{Instance, Registered, Root};
#[cfg(feature = "export")]
use crate::name::Channel;
use crate::name::Workflow;
use crate::queue::{Limits, Queue};
use crate::record::Outcome;
#[cfg(feature = "export")]
use crate::values::OfJson;
use crate::values::{Value, Values};

/// All workflows that an executor can run, and the queues that it admits runs from.
#[derive(Default)]
pub(crate) struct Registry {
    workflows: BTreeMap<&'static str, Rc<Registered>>,
    queues: BTreeMap<&'static str, Limits>,
    /// What is sent on channels, for messages that come as text.
    #[cfg(feature = "export")]
    channels: BTreeMap<&'static str, OfJson>,
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
        let before = self.workflows.insert(workflow.name(), registered(workflow.name(), body));
        assert!(before.is_none(), "the workflow {:?} is registered twice", workflow.name());
    }

    /// # Panics
    ///
    /// Panics if the queue is defined already.
    pub(crate) fn add_queue(&mut self, queue: Queue, limits: Limits) {
        let before = self.queues.insert(queue.name(), limits);
        assert!(before.is_none(), "the queue {:?} is defined twice", queue.name());
    }

    /// The queues by their names.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (&'static str, Limits)> {
        self.queues.iter().map(|(name, limits)| (*name, *limits))
    }

    /// Makes a channel known.
    #[cfg(feature = "export")]
    pub(crate) fn add_channel<T: Value>(&mut self, channel: Channel<T>) {
        self.channels.insert(channel.name(), Values::of_json::<T>);
    }

    /// How a message on a channel is read from text.
    #[cfg(feature = "export")]
    pub(crate) fn channel(&self, name: &str) -> Option<(&'static str, OfJson)> {
        self.channels.get_key_value(name).map(|(name, of_json)| (*name, *of_json))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    /// The workflow with a recorded name.
    pub(crate) fn find(&self, name: &str) -> Option<&Rc<Registered>> {
        self.workflows.get(name)
    }
}

fn registered<I: Value, O: Value, E: Into<BoxError> + 'static>(
    name: &'static str,
    body: impl AsyncFn(&Ctx, I) -> Result<O, E> + 'static,
) -> Rc<Registered> {
    let body = Rc::new(body);
    let root = move |run: &Rc<Instance>, input: &[u8]| {
        let input = run.world.values.decode::<I>(input).map_err(|why| {
            let kind = core::any::type_name::<I>();
            let detail = format_args!("the input does not decode as {kind}: {why}");
            Fault::new(ParkReason::of_unread(&why), detail)
        })?;
        let (ctx, body) = (Ctx::next(run.clone()), body.clone());
        // One box for all of it: a sleeping run is hardly more than this.
        let task = ctx.task();
        Ok(Root::new(run, task, async move { ctx.end(recorded(&ctx, body(&ctx, input).await)) }))
    };
    let (input, output) = (Values::anew::<I>, Values::anew::<O>);
    #[cfg(feature = "export")]
    let input_of_json = Values::of_json::<I>;
    Rc::new(Registered {
        name,
        root: Box::new(root),
        input,
        output,
        #[cfg(feature = "export")]
        input_of_json,
    })
}

/// The form in which a run's result is recorded.
fn recorded<O: Value, E: Into<BoxError>>(ctx: &Ctx, result: Result<O, E>) -> Outcome<'static> {
    let output = result.map_err(|error| Failure::from_error(&*error.into()).of_end())?;
    ctx.values().encode(&output).map_err(|why| {
        let kind = core::any::type_name::<O>();
        let message = format_args!("the output, a {kind}, cannot be recorded: {why}");
        Error::of(Kind::Unrecordable, message).into_failure()
    })
}
