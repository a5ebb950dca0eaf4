//! Starts and messages whose values come as JSON: from people, and from other programs.

use alloc::rc::Rc;

use super::posted::Posted;
use super::{Executor, admit};
use crate::error::{Error, Kind, Result};
use crate::instance::PostWhat;
use crate::message::Message;
use crate::start::Start;
use crate::watch::Watch;

impl Executor {
    /// Starts a run of a registered workflow with an input that is JSON, and is read as the input's type. Ready
    /// when that is committed.
    ///
    /// # Errors
    ///
    /// If there is a run with this id, if the workflow is not registered, or if the input is none of its type:
    /// the message says which field is wrong. Or if the store failed.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, Start, Workflow};
    ///
    /// const ADD: Workflow<(u8, u8), u8> = Workflow::new("add");
    /// let add = async |_: &Ctx, (a, b): (u8, u8)| Ok::<_, Error>(a + b);
    /// let executor = Executor::builder().workflow(ADD, add).in_memory();
    /// executor.block_on(executor.start_json("add", "one", "[3, 4]", Start::new()))?;
    /// assert_eq!(executor.block_on(executor.attach(ADD, "one")?)?, 7);
    ///
    /// let refused = executor.block_on(executor.start_json("add", "two", "[3]", Start::new()));
    /// assert!(refused.unwrap_err().to_string().contains("expected a tuple of size 2"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn start_json(&self, workflow: &str, id: &str, input: &str, options: Start) -> Posted {
        Posted::of(self.post_start_json(workflow, id, input, options))
    }

    /// The same, asked for at once; where to wait for the commit.
    pub(crate) fn post_start_json(
        &self,
        workflow: &str,
        id: &str,
        input: &str,
        options: Start,
    ) -> Result<Rc<Watch>> {
        let refused = |why: core::fmt::Arguments<'_>| {
            Error::of(Kind::Usage, format_args!("run {id:?} cannot be started: {why}"))
        };
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {id:?} cannot be started"))?;
        let found =
            self.shared.engine.registry.find(workflow).ok_or_else(|| {
                refused(format_args!("this program has no workflow {workflow:?}"))
            })?;
        if self.shared.engine.ledgers.with_id(id).is_some()
            || self.shared.engine.find(id)?.is_some()
        {
            return Err(refused(format_args!("there is a run with this id already")));
        }
        let input = (found.input_of_json)(self.values(), input);
        let input = input.map_err(|why| {
            refused(format_args!("the input is not of the type of workflow {workflow:?}: {why}"))
        })?;
        let (_, (_, watch)) = self.start_encoded(found.name, id, options, |_| Ok(input))?;
        Ok(watch)
    }

    /// Sends a message that is JSON, and is read as the type of its channel, which has to be
    /// [known](crate::Builder::channel). Ready when it is recorded.
    ///
    /// # Errors
    ///
    /// As with [`send`](Self::send); and if the channel is not known, or the message is none of its type: then it
    /// is said which field is wrong.
    ///
    /// ```
    /// use dacapo::{Channel, Ctx, Error, Executor, Workflow};
    ///
    /// const ORDER: Workflow<(), bool> = Workflow::new("order");
    /// const APPROVAL: Channel<bool> = Channel::new("approval");
    /// let order = async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(APPROVAL).await);
    /// let executor = Executor::builder().workflow(ORDER, order).channel(APPROVAL).in_memory();
    /// let run = executor.start(ORDER, "order-7", ())?;
    /// assert!(executor.block_on(executor.send_json("order-7", "approval", "\"yes\"")).is_err());
    /// executor.block_on(executor.send_json("order-7", "approval", "true").key("mail-3"))?;
    /// assert!(executor.block_on(run)?);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send_json(&self, to: &str, channel: &str, message: &str) -> Posted {
        Posted::message(&self.shared, to, self.message_of_json(to, channel, message))
    }

    /// The same, posted at once; where to wait for the commit.
    pub(crate) fn post_json(
        &self,
        to: &str,
        channel: &str,
        message: &str,
        key: Option<&str>,
    ) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        admit(&self.shared.engine, format_args!("run {to:?} cannot be sent to"))?;
        let message = self.message_of_json(to, channel, message)?;
        let message = Message { key: key.map(Rc::from), ..message };
        Ok(self.shared.engine.post(to, PostWhat::Message(message)))
    }

    fn message_of_json(&self, to: &str, channel: &str, message: &str) -> Result<Message> {
        let refused = |why: core::fmt::Arguments<'_>| {
            let message = format_args!("the message for run {to:?} on channel {channel:?}: {why}");
            Error::of(Kind::Usage, message)
        };
        let (channel, of_json) = self.shared.engine.registry.channel(channel).ok_or_else(|| {
            refused(format_args!(
                "its type is not known here: check the name, or give the channel to Builder::channel"
            ))
        })?;
        let payload = of_json(self.values(), message);
        let payload = payload
            .map_err(|why| refused(format_args!("it is not of the type of the channel: {why}")))?;
        Ok(Message { channel: channel.into(), payload, key: None, is_question: false })
    }
}
