//! The agent's loop.

use std::rc::Rc;
use std::time::Duration;

use dacapo::{Attempt, Channel, Ctx, Error, Result, Retry, Topic, Workflow};
use serde::{Deserialize, Serialize};

use crate::model::{Model, Reply};

pub(crate) const AGENT: Workflow<Chat, String> = Workflow::new("agent");
pub(crate) const TOKENS: Topic<String> = Topic::new("tokens");
pub(crate) const QUESTIONS: Topic<String> = Topic::new("questions");
pub(crate) const ANSWERS: Channel<String> = Channel::new("answers");

const ROUNDS_PER_PASS: u32 = 100;
const DAY: Duration = Duration::from_secs(86_400);
const PATIENT: Retry = Retry::exponential(Duration::from_millis(100)).max_attempts(10);

/// What the model is told: all that matters, and no more, since it is recorded with every pass.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Chat {
    pub(crate) begin: u64,
    pub(crate) steps: u32,
    pub(crate) now: u64,
    pub(crate) largest: u64,
    pub(crate) answer: Option<String>,
}

impl Chat {
    pub(crate) fn about(begin: u64) -> Self {
        Self { begin, steps: 0, now: begin, largest: begin, answer: None }
    }
}

pub(crate) async fn run(ctx: &Ctx, model: &Rc<Model>, mut chat: Chat) -> Result<String> {
    for _ in 0..ROUNDS_PER_PASS {
        let (model, told) = (model.clone(), chat.clone());
        let ask = async move |attempt: Attempt| model.ask(&attempt, &told).await;
        match ctx.step_with("model", ask).retry(PATIENT).of(&chat.steps).await? {
            Reply::Use(tool) => {
                chat.now = use_tool(ctx, &tool, chat.now).await?;
                chat.largest = chat.largest.max(chat.now);
                chat.steps += 1;
            }
            Reply::Ask(question) => {
                ctx.publish(QUESTIONS, question);
                let answer = ctx.timeout(7 * DAY, ctx.receive(ANSWERS)).await;
                chat.answer = Some(answer.unwrap_or_else(|_| "nobody is there".into()));
            }
            Reply::Done(answer) => return Ok(answer),
        }
    }
    ctx.again(AGENT, chat).await
}

/// A tool that the model does not have is no reason to give up: a real one would be told so.
async fn use_tool(ctx: &Ctx, tool: &str, n: u64) -> Result<u64> {
    match tool {
        "halve" => ctx.call("halve", halve, n).await,
        "triple" => ctx.call("triple", triple, n).await,
        _ => Err(Error::new(format_args!("there is no tool {tool:?}"))),
    }
}

async fn halve(n: u64) -> Result<u64> {
    Ok(n / 2)
}

async fn triple(n: u64) -> Result<u64> {
    n.checked_mul(3).and_then(|n| n.checked_add(1)).ok_or_else(|| Error::new("it is too large"))
}
