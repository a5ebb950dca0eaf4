//! A step's key, from outside of its body.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::store::MemoryStore;
use dacapo::{Attempt, Ctx, Error, Executor, Result, Workflow};

use super::open;

const W: Workflow<(), Vec<String>> = Workflow::new("w");

/// In the root and in a task, before the step is polled, when it is dropped, and after its end.
#[test]
fn a_step_knows_its_key_at_every_stage_of_its_life() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let bodies = seen.clone();
    let build = Executor::builder().workflow(W, async move |ctx: &Ctx, ()| -> Result<_> {
        let built = ctx.step("built", async || Ok::<_, Error>(()));
        let mut keys = vec![built.key()];
        drop(built);
        let bodies = bodies.clone();
        let note = async move |attempt: Attempt| {
            bodies.borrow_mut().push(attempt.key().to_owned());
            Ok::<_, Error>(())
        };
        let mut step =
            ctx.step_with("a/b%", note).label("unlike a name, it is not part of the key");
        keys.push(step.key());
        (&mut step).await?;
        keys.push(step.key());
        keys.push(ctx.spawn(async |ctx| ctx.step("c", async || Ok::<_, Error>(())).key()).await);
        Ok(keys)
    });
    let (executor, _) = open(build, MemoryStore::new());
    let keys = executor.block_on(executor.start(W, "50%/7", ()).expect("new")).expect("it ends");
    assert_eq!(
        keys,
        ["50%25%2F7/1/built", "50%25%2F7/2/a/b%", "50%25%2F7/2/a/b%", "50%25%2F7/1.1/c"]
    );
    assert_eq!(*seen.borrow(), ["50%25%2F7/2/a/b%"]);
    executor.verify("50%/7").expect("a replay knows the same keys");
}

fn is_send<T: Send>(_: &T) {}

/// So that blocking work can take it along.
#[test]
fn an_attempt_goes_to_another_thread() {
    const AWAY: Workflow<(), String> = Workflow::new("away");
    let build = Executor::builder().workflow(AWAY, async |ctx: &Ctx, ()| {
        let body = async |attempt: Attempt| -> Result<String> {
            is_send(&attempt);
            let told =
                move || format!("{} {}: {}", attempt.run_id(), attempt.number(), attempt.key());
            Ok(std::thread::spawn(told).join().expect("it does not panic"))
        };
        ctx.step_with("tell", body).await
    });
    let (executor, _) = open(build, MemoryStore::new());
    let told = executor.block_on(executor.start(AWAY, "a", ()).expect("new")).expect("it ends");
    assert_eq!(told, "a 1: a/1/tell");
}
