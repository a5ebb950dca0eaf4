//! What a step is about: recorded as a fingerprint, and compared.

use std::collections::BTreeMap;

use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, ParkReason, Result, Step, Workflow};
use serde::{Serialize, Serializer};

use super::open;

const W: Workflow<(), ()> = Workflow::new("w");

async fn nothing() -> Result<()> {
    Ok(())
}

/// A build whose only step says what `say` has it say.
fn build(say: impl Fn(Step<()>) -> Step<()> + 'static) -> Builder {
    Executor::builder().workflow(W, async move |ctx: &Ctx, ()| say(ctx.step("x", nothing)).await)
}

#[derive(Serialize)]
struct Item {
    count: u64,
    item: String,
}

#[test]
fn what_a_step_is_about_is_recorded_and_compared() {
    let about = || BTreeMap::from([("item", serde_json::json!("tea")), ("count", 2.into())]);
    let (executor, store) = open(build(move |step| step.of(&about())), MemoryStore::new());
    executor.block_on(executor.start(W, "w", ()).expect("new")).expect("it ends");
    let verified = |build| open(build, store.now()).0.verify("w");

    let same = || Item { count: 2, item: "tea".into() };
    verified(build(move |step| step.of(&same()))).expect("it is the same as JSON");
    for (other, asks) in [
        (build(|step| step.of(&Item { count: 3, item: "tea".into() })), r#""x" #559fdf3d"#),
        (build(|step| step), r#""x""#),
        (build(move |step| step.of(&same()).label("tea")), r#""x" [tea] #a28d2394"#),
    ] {
        let error = verified(other).expect_err("it is another");
        assert_eq!(error.park_reason(), Some(ParkReason::Diverged), "{error}");
        let both = format!(
            r#"holds outcome of step 1 "x" #a28d2394, but the code asks for step 1 {asks}, at {}:"#,
            file!()
        );
        assert!(error.to_string().contains(&both), "{error}");
    }
}

/// Nobody can tell what such a step is about.
struct Secret;

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it is a secret"))
    }
}

#[test]
fn what_cannot_be_said_or_is_said_twice_parks_the_run() {
    for (build, why) in [
        (build(|step| step.of(&Secret)), "cannot be serialized: it is a secret"),
        (build(|step| step.of("a").of("b")), "is about is said twice"),
    ] {
        let (executor, _) = open(build, MemoryStore::new());
        let run = executor.start(W, "w", ()).expect("new");
        let error: Error = executor.block_on(run).expect_err("it is parked");
        assert_eq!(error.park_reason(), Some(ParkReason::Panicked));
        assert!(error.to_string().contains(why), "{error}");
    }
}
