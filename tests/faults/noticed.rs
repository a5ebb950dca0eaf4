//! What whoever looks after an executor is told of the ends of processes before: whom they concern.

use dacapo::store::{MemoryStore, Store};
use dacapo::{Ctx, Error, Executor, Result, Retry, Workflow, yield_now};

use super::Told;

const PAY: Workflow<(), u32> = Workflow::new("pay");

/// What those are told who open the store with this setting, and drive it a little.
fn told(stored: &MemoryStore, set: impl FnOnce(dacapo::Builder) -> dacapo::Builder) -> Vec<String> {
    let told = Told::default();
    let pay = async |ctx: &Ctx, ()| -> Result<u32> {
        let endless = async || std::future::pending::<Result<u32>>().await;
        let twice = Retry::exponential(std::time::Duration::ZERO).max_attempts(2);
        let first = ctx.step("charge", endless).retry(twice);
        let second = ctx.step("mail", endless).label("ada").at_most_once();
        let (first, second) = dacapo::join(first, second).await;
        let _ = second;
        first
    };
    let builder = set(Executor::builder().workflow(PAY, pay).observer(told.clone()));
    let executor = builder.open_with(stored.shared()).expect("memory");
    if stored.next_run().0 == 0 {
        let _run = executor.start(PAY, "order-7", ()).expect("new");
    }
    executor.block_on(async {
        for _ in 0..5 {
            yield_now().await;
        }
    });
    // A process that is killed drops nothing.
    std::mem::forget(executor);
    told.0.take()
}

/// Each step that it may have interrupted, with how often; not what waited for its turn all the while.
#[test]
fn a_body_that_the_end_of_a_process_interrupted() {
    let stored = MemoryStore::new();
    assert!(told(&stored, |builder| builder).is_empty());
    let line = |step: &str, ends: u32| {
        let run = r#"run "order-7": the process ended while "#;
        let ends = format!("ends that count for it by now: {ends}");
        format!("{run}{step} may have been under way; {ends}")
    };
    let (charge, mail) = (r#"step 1 "charge""#, r#"step 2 "mail" [ada]"#);
    assert_eq!(told(&stored, |builder| builder), [line(charge, 1), line(mail, 1)]);
    let ended = r#"run "order-7" has failed: step 1 "charge" failed, after 2 attempts: it was interrupted in the last of them; "#;
    let retry = "Executor::retry takes it up again, but runs no step again that may run at most once: find out \
                 whether its effect took place, and have the workflow go on by Error::is_interrupted first";
    assert_eq!(told(&stored, |builder| builder), [line(charge, 2), ended.to_owned() + retry]);
    assert!(told(&stored, |builder| builder).is_empty());
}

/// Of what ended in order nothing is told.
#[test]
fn an_end_in_order_interrupts_nothing() -> Result<()> {
    let (stored, seen) = (MemoryStore::new(), Told::default());
    let nap = async |ctx: &Ctx, ()| -> Result<u32> {
        ctx.step("nap", async || std::future::pending::<Result<u32>>().await).await
    };
    let open = || Executor::builder().workflow(PAY, nap).observer(seen.clone());
    let executor = open().open_with(stored.shared())?;
    executor.block_on(executor.start(PAY, "order-7", ())?.accepted())?;
    executor.block_on(executor.shutdown(std::time::Duration::ZERO))?;
    drop(executor);
    let executor = open().open_with(stored)?;
    executor.block_on(yield_now());
    assert!(seen.0.take().is_empty());
    Ok(())
}

/// It would be replayed all the same, without a word.
#[test]
fn a_run_that_is_to_be_held_and_is_not_there() -> Result<(), Error> {
    let stored = MemoryStore::new();
    told(&stored, |builder| builder);
    let lines = told(&stored, |builder| builder.hold("order-8"));
    let line = r#"there is no run "order-8" to be held: check the id given to Builder::hold"#;
    assert_eq!(lines[0], line);
    let lines = told(&stored, |builder| builder.hold("order-7"));
    assert!(lines.len() == 1 && lines[0].starts_with(r#"run "order-7" is parked: "#), "{lines:?}");
    Ok(())
}
