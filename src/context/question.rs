use alloc::rc::Rc;
use core::fmt;
use core::marker::PhantomData;

use super::Ctx;
use super::receive::{Inbox, Receive, decode, sealed};
use crate::bytes::Bytes;
use crate::error::Error;
use crate::fault::{Fault, ParkReason};
use crate::inbox::Address;
use crate::instance::Instance;
use crate::name::Question;
use crate::record::{Mark, Number, Outcome};
use crate::values::Value;

/// A question that a run has received, and is to [answer](Asked::answer); given by [`Ctx::receive`].
///
/// Dropping it answers with an error: "the question was dropped without an answer". A local variable is
/// dropped when its function returns, also when the run ends with that. Those are told that the run has
/// ended ([`Error::is_ended`]) whose questions nobody had received by then, or that went with detached tasks
/// or with code that a cancel dropped.
///
/// ```
/// use dacapo::{Ctx, Executor, Question, Result, Workflow};
///
/// const SHOP: Workflow<u64, ()> = Workflow::new("shop");
/// const PRICE: Question<String, u64> = Question::new("price");
///
/// async fn shop(ctx: &Ctx, base: u64) -> Result<()> {
///     for _ in 0..2 {
///         let asked = ctx.receive(PRICE).await;
///         if !asked.question.is_empty() {
///             let price = base + asked.question.len() as u64;
///             asked.answer(ctx, price);
///         }
///     }
///     ctx.step("close", async || Ok::<_, dacapo::Error>(())).await
/// }
///
/// let executor = Executor::builder().workflow(SHOP, shop).in_memory();
/// let _run = executor.start(SHOP, "shop-1", 250)?;
/// assert_eq!(executor.block_on(executor.ask("shop-1", PRICE, "tea".into()))?, 253);
/// let dropped = executor.block_on(executor.ask("shop-1", PRICE, String::new())).unwrap_err();
/// assert_eq!(dropped.to_string(), "the question was dropped without an answer");
/// # Ok::<(), dacapo::Error>(())
/// ```
#[must_use = "dropping it answers with an error"]
pub struct Asked<Q, A> {
    /// What is asked.
    pub question: Q,
    reply: Reply,
    answer: PhantomData<fn(A)>,
}

/// That somebody waits. Apart from the question, so that this can be moved out.
struct Reply {
    instance: Rc<Instance>,
    /// Of the receive that took it: no other mark has this number.
    number: Number,
    seq: u64,
    is_given: bool,
}

impl<Q, A: Value> Asked<Q, A> {
    /// Answers. Whoever asked has the answer when the next commit is; so has, without asking anew,
    /// whoever asks again with the same key.
    ///
    /// It takes the context, which bodies do not have. An answer that cannot be recorded parks the run.
    ///
    /// # Panics
    ///
    /// Panics if the question is one of another run.
    pub fn answer(mut self, ctx: &Ctx, answer: A) {
        let reply = &mut self.reply;
        assert!(Rc::ptr_eq(&reply.instance, &ctx.instance), "a run answers its own questions");
        reply.is_given = true;
        match ctx.values().encode(&answer) {
            Ok(answer) => reply.give(Ok(answer)),
            Err(why) => {
                let (number, kind) = (reply.number, core::any::type_name::<A>());
                let detail = format_args!(
                    "the answer to the question of receive {number}, a {kind}, cannot be recorded: {why}"
                );
                reply.refuse(Fault::new(ParkReason::Misused, detail));
            }
        }
    }
}

impl<Q: Value, A: Value> sealed::Sealed for Question<Q, A> {}

impl<Q: Value, A: Value> Inbox for Question<Q, A> {
    type Message = Asked<Q, A>;

    fn receive(self, ctx: &Ctx) -> Receive<Asked<Q, A>> {
        let from = Address { channel: self.name(), is_question: true };
        ctx.receive_from(from, |instance, number, arrived| {
            let question = decode(instance, arrived)?;
            let (instance, seq) = (instance.clone(), arrived.seq);
            let reply = Reply { instance, number, seq, is_given: false };
            Ok(Asked { question, reply, answer: PhantomData })
        })
    }
}

impl Reply {
    fn give(&self, outcome: Outcome<'static>) {
        if self.instance.may_poll() {
            let mark = Mark::Answered { seq: self.seq, outcome };
            self.instance.mark(self.number, mark, None);
        }
    }

    fn refuse(&self, fault: Fault) {
        if self.instance.may_poll() {
            let mark = Mark::Answered { seq: self.seq, outcome: Ok(Bytes::EMPTY) };
            self.instance.mark_refused(self.number, mark, fault);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.is_given {
            // If something outside drops it, no replay will; in a teardown there is no answer.
            let dropped = Error::new("the question was dropped without an answer");
            self.give(Err(dropped.into_failure()));
        }
    }
}

impl<Q: fmt::Debug, A> fmt::Debug for Asked<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("question", &self.question).finish_non_exhaustive()
    }
}
