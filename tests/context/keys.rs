//! A step's key, from outside of its body.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::store::MemoryStore;
use dacapo::{Attempt, Builder, Ctx, Error, Executor, Result, Workflow};

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
    let places = keys.iter().map(|key| place(key)).collect::<Vec<_>>();
    let told = "50%25%2F7/2/a%2Fb%25";
    assert_eq!(places, ["50%25%2F7/1/built", told, told, "50%25%2F7/1.1/c"]);
    assert_eq!(*seen.borrow(), keys[1..2]);
    executor.verify("50%/7").expect("a replay knows the same keys");
}

/// A key without what tells its store and its run from others.
fn place(key: &str) -> &str {
    key.rsplit_once('/').expect("it is made of parts").0
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
    assert_eq!(place(&told), "a 1: a/1/tell");
}

const KEY: Workflow<(), String> = Workflow::new("key");

/// A run whose output is the key of its step.
fn key() -> Builder {
    Executor::builder().workflow(KEY, async |ctx: &Ctx, ()| {
        ctx.step_with("tell", async |attempt: Attempt| Ok::<_, Error>(attempt.key().to_owned()))
            .await
    })
}

fn key_of(executor: &Executor, id: &str) -> String {
    executor.block_on(executor.start(KEY, id, ()).expect("it is free")).expect("it ends")
}

/// Else two services that share an account of one payment service would take each other's charges for
/// their own.
#[test]
fn two_stores_with_the_same_id_give_two_keys() {
    let (one, other) = (key().in_memory(), key().in_memory());
    let keys = [key_of(&one, "order-7"), key_of(&other, "order-7")];
    assert_eq!(keys.each_ref().map(|key| place(key)), ["order-7/1/tell"; 2]);
    assert_ne!(keys[0], keys[1]);
    // A simulation is the same each time.
    let seeded = || key_of(&key().seed(7).in_memory(), "order-7");
    assert_eq!(seeded(), seeded());
    assert_ne!(seeded(), key_of(&key().seed(8).in_memory(), "order-7"));
}

/// It was deleted, and is another run that has its effects, too.
#[test]
fn an_id_that_is_used_again_gives_another_key() {
    let executor = key().in_memory();
    let first = key_of(&executor, "order-7");
    executor.block_on(executor.delete("order-7")).expect("it has ended");
    assert_ne!(key_of(&executor, "order-7"), first);
}

/// Whatever ids there are.
#[test]
fn keys_stand_in_headers() {
    let executor = key().in_memory();
    let long = "\u{1f375} ".repeat(500);
    for id in ["order 7", "B\u{f6}ll\r\nX-Evil: 1", "%0A/", &long] {
        let key = key_of(&executor, id);
        assert!(key.len() <= 200 && key.bytes().all(|byte| (0x21..0x7f).contains(&byte)), "{key}");
    }
}

/// A number that another process makes is another one: this is the first one's.
#[test]
fn a_store_keeps_its_number_in_copies_and_over_processes() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [path, copy] = ["a", "b"].map(|name| {
        let path = directory.join(format!("keys-{name}-{}.redb", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    });
    let executor = key().open(&path).expect("it opens");
    let number = |key: &str| {
        let (_, last) = key.rsplit_once('/').expect("it is made of parts");
        last.split_once('-').expect("the run is last").0.to_owned()
    };
    let first = number(&key_of(&executor, "a"));
    executor.backup(&copy).expect("it is copied");
    drop(executor);
    for path in [&path, &copy] {
        let executor = key().open(path).expect("it opens");
        assert_eq!(number(&key_of(&executor, "b")), first);
        drop(executor);
        std::fs::remove_file(path).expect("it is there");
    }
}
