//! An agent: a model is asked what to do, tools do it, a person is asked when it matters, and what the model
//! says can be read while it says it. Each round is recorded, so none is paid for twice.
//!
//!     cargo run --example agent
//!
//! The model is a fake that always says the same; it follows the sequence of Collatz from 27. Here is what
//! a durable agent needs: it is asked in a step, which publishes tokens; tools are steps; an answer comes as
//! a message, days later if it must, to a process that was not there when it was asked; and after 100 rounds
//! the run goes on in another pass, so its history does not grow for ever.
//!
//! Ctrl-C and SIGTERM end it in order; start it again, and it goes on.

mod agent;
mod model;
#[path = "../order/stop.rs"]
mod stop;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use dacapo::store::Filter;
use dacapo::{BoxError, Ctx, Executor, Result, join, race};
use futures::StreamExt;

use agent::{AGENT, ANSWERS, Chat, QUESTIONS, TOKENS};
use model::Model;
use stop::Stop;

const ID: &str = "collatz-27";

fn main() -> Result<(), BoxError> {
    let path = std::env::temp_dir().join("dacapo-agent.redb");
    let (mut stop, shown) = (Stop::listen()?, Cell::new(0));

    // A process that ends when the agent has asked something: nobody need wait for the answer.
    let model = Rc::new(Model::default());
    let executor = open(&path, &model)?;
    let is_new = executor.start(AGENT, ID, Chat::about(27))?.is_new();
    let asked = race(question(&executor), async { show(&executor, &shown).await.map(|()| None) });
    let Some(question) = executor.block_on(stop.or(&executor, asked, say))? else { return Ok(()) };
    executor.block_on(executor.shutdown(stop::GRACE))?;
    drop(executor);
    println!(
        "\n-- The process has ended. The question is: {}",
        question?.ok_or("it asks nothing")?
    );

    // Another one, in which a person answers.
    let executor = open(&path, &model)?;
    let answer = executor.attach(AGENT, ID)?;
    let work = async {
        // It may have ended before, in a process that was interrupted here.
        let told = executor.send(ID, ANSWERS, "yes, go on".into()).key("first").await;
        told.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
        let (shown, answer) = join(show(&executor, &shown), answer).await;
        shown.and(answer)
    };
    let Some(answer) = executor.block_on(stop.or(&executor, work, say))? else { return Ok(()) };

    assert_eq!(answer?, "27 is 1 after 111 steps, and 9232 on the way");
    assert_eq!(executor.runs(&Filter::new().id_prefix(ID))?.last().map(|run| run.pass), Some(2));
    if is_new {
        assert_eq!(model.times_asked(), 113, "each round once, over two processes and two passes");
    }
    println!("\n-- The model was asked {} times.", model.times_asked());
    drop(executor);
    std::fs::remove_file(path)?;
    Ok(())
}

fn open(path: &Path, model: &Rc<Model>) -> Result<Executor> {
    let model = model.clone();
    let agent = async move |ctx: &Ctx, chat| agent::run(ctx, &model, chat).await;
    Executor::builder().workflow(AGENT, agent).open(path)
}

/// The first question that the agent asks.
async fn question(executor: &Executor) -> Result<Option<String>> {
    let mut questions = executor.follow(ID, QUESTIONS, 0);
    Ok(questions.next().await.transpose()?.map(|(_offset, question)| question))
}

/// Prints what the model says, from where it was shown before.
async fn show(executor: &Executor, shown: &Cell<u64>) -> Result<()> {
    let mut tokens = executor.follow(ID, TOKENS, shown.get());
    while let Some(token) = tokens.next().await {
        let (offset, token) = token?;
        print!("{token}");
        shown.set(offset + 1);
    }
    Ok(())
}

fn say() {
    eprintln!("told to end; once more to end at once");
}
