//! What an error says, behind whatever wraps it: a context of anyhow, a source of thiserror, a box.

use std::cell::Cell;
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use dacapo::{BoxError, Ctx, Error, Executor, Result, Retry, Workflow};
use thiserror::Error as ThisError;

const PAY: Workflow<(), String> = Workflow::new("pay");
const THRICE: Retry = Retry::exponential(Duration::from_millis(1)).max_attempts(3);

#[derive(Debug, ThisError)]
#[error("the bank did not take it")]
struct Bank(#[source] Error);

#[derive(Debug, ThisError)]
#[error("the order was not paid")]
struct Order(#[from] Bank);

#[derive(Debug, ThisError)]
#[error("in a box")]
struct Boxed(#[source] Box<dyn StdError + Send + Sync>);

fn refused() -> Error {
    Error::new("card refused").permanent()
}

/// How many attempts a step makes whose body fails so, and with which error.
fn attempts(fail: impl Fn() -> BoxError + 'static) -> (u32, Error) {
    let (count, fail) = (Rc::new(Cell::new(0)), Rc::new(fail));
    let counted = count.clone();
    let executor = Executor::builder()
        .workflow(PAY, async move |ctx: &Ctx, ()| -> Result<String> {
            let (counted, fail) = (counted.clone(), fail.clone());
            let charge = async move || -> Result<String, BoxError> {
                counted.set(counted.get() + 1);
                Err(fail())
            };
            ctx.step("charge", charge).retry(THRICE).await
        })
        .in_memory();
    let error = executor.block_on(executor.start(PAY, "pay", ()).unwrap()).unwrap_err();
    (count.get(), error)
}

#[test]
fn permanent_behind_what_wraps_it() {
    type Fail = fn() -> BoxError;
    let wraps: [(&str, Fail); 5] = [
        ("itself", || refused().into()),
        ("thiserror", || Bank(refused()).into()),
        ("thiserror, twice", || Order(Bank(refused())).into()),
        ("a box in thiserror", || Boxed(refused().into()).into()),
        ("a context of anyhow", || Err::<(), _>(refused()).context("paying").unwrap_err().into()),
    ];
    for (how, fail) in wraps {
        let (attempts, error) = attempts(fail);
        assert_eq!(attempts, 1, "{how}");
        assert!(error.is_permanent(), "{how}");
        assert!(format!("{error:?}").contains("card refused"), "{how}: {error:?}");
    }
    let (attempts, _) = attempts(|| Bank(Error::new("no answer")).into());
    assert_eq!(attempts, 3, "what is not permanent is tried again");
}

/// What the predicates say is told by the end of a run, too, whatever its workflow wrapped around it.
#[test]
fn what_the_predicates_say_behind_what_wraps_it() -> Result<()> {
    type Wrap = fn(Error) -> BoxError;
    let wraps: [(&str, Wrap); 3] = [
        ("thiserror", |error| Order(Bank(error)).into()),
        ("anyhow", |error| Err::<(), _>(error).context("a").context("b").unwrap_err().into()),
        ("a box", |error| Boxed(Bank(error).into()).into()),
    ];
    for (how, wrap) in wraps {
        let executor = Executor::builder()
            .workflow(PAY, async move |ctx: &Ctx, ()| -> Result<String, BoxError> {
                let hangs = async || std::future::pending::<Result<String>>().await;
                let limit = Duration::from_millis(2);
                let timed_out = ctx.step("hangs", hangs).timeout(limit).await;
                timed_out.map_err(wrap)
            })
            .in_memory();
        let error = executor.block_on(executor.start(PAY, "pay", ())?).unwrap_err();
        assert!(error.is_elapsed(), "{how}: {error:?}");
        executor.verify("pay")?;
    }
    Ok(())
}

/// A limit around many operations is one, too.
#[test]
fn elapsed_behind_what_wraps_it() -> Result<()> {
    let executor = Executor::builder()
        .workflow(PAY, async |ctx: &Ctx, ()| -> anyhow::Result<String> {
            let nap = ctx.sleep(Duration::from_secs(60));
            ctx.timeout(Duration::from_millis(2), nap).await.context("it slept for too long")?;
            Ok(String::new())
        })
        .in_memory();
    let error = executor.block_on(executor.start(PAY, "pay", ())?).unwrap_err();
    assert!(error.is_elapsed(), "{error:?}");
    assert_eq!(error.to_string(), "it slept for too long");
    Ok(())
}

/// The step decides by the error itself; a panic of that ends the attempts, and nothing else.
#[test]
fn a_step_decides_what_is_worth_another_attempt() -> Result<()> {
    for (panics, expected) in [(false, 2), (true, 1)] {
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        let executor = Executor::builder()
            .workflow(PAY, async move |ctx: &Ctx, ()| -> Result<String> {
                let counted = counted.clone();
                let charge = async move || -> anyhow::Result<String> {
                    counted.set(counted.get() + 1);
                    // A bare `?` into anyhow hides what it was.
                    Err(refused())?
                };
                let seen = Cell::new(0);
                let decides = move |error: &Error| {
                    assert!(!panics, "no tea");
                    seen.set(seen.get() + 1);
                    error.to_string() == "card refused" && seen.get() < 2
                };
                ctx.step("charge", charge).retry(THRICE).retry_if(decides).await
            })
            .in_memory();
        let error = executor.block_on(executor.start(PAY, "pay", ())?).unwrap_err();
        assert_eq!(count.get(), expected);
        assert_eq!(error.is_panic(), panics, "{error:?}");
        assert!(panics || error.to_string().contains("after 2 attempts: card refused"));
    }
    Ok(())
}
