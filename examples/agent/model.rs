//! A model that is asked over a network, more or less: it takes its time, and speaks in tokens.

use std::cell::Cell;
use std::time::Duration;

use dacapo::{Attempt, Result};
use serde::{Deserialize, Serialize};

use crate::agent::{Chat, TOKENS};

/// What the model wants.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    Use(String),
    Ask(String),
    Done(String),
}

#[derive(Default)]
pub(crate) struct Model {
    times_asked: Cell<u32>,
}

impl Model {
    pub(crate) fn times_asked(&self) -> u32 {
        self.times_asked.get()
    }

    /// The body of a step: what it says is published as it comes, and the whole is its outcome.
    pub(crate) async fn ask(&self, attempt: &Attempt, chat: &Chat) -> Result<Reply> {
        self.times_asked.set(self.times_asked.get() + 1);
        let (text, reply) = think(chat);
        for token in text.split_inclusive(' ') {
            smol::Timer::after(Duration::from_millis(1)).await;
            attempt.publish(TOKENS, token.to_owned());
        }
        Ok(reply)
    }
}

fn think(chat: &Chat) -> (String, Reply) {
    let Chat { begin, steps, now, largest, answer } = chat;
    let by_tool = |tool: &str| Reply::Use(tool.to_owned());
    if *now > 9_000 && answer.is_none() {
        let question = format!("It is {now} by now. Shall I go on?");
        return (format!("\n{question}\n"), Reply::Ask(question));
    }
    match now {
        1 => {
            let answer = format!("{begin} is 1 after {steps} steps, and {largest} on the way");
            (format!("\n{answer}"), Reply::Done(answer))
        }
        now if now % 2 == 0 => (format!("{now} is even. "), by_tool("halve")),
        now => (format!("{now} is odd. "), by_tool("triple")),
    }
}
