//! What an error says, behind whatever wraps it: a context of anyhow, a source of thiserror, a box.

use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use dacapo::store::{self, MemoryStore};
use dacapo::{
    BoxError, Builder, Ctx, Error, Executor, Handle, ParkReason, Result, Retry, Start, Workflow,
    yield_now,
};
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

type Predicate = fn(&Error) -> bool;

/// Each predicate, with whether it is true of a run that ends with such an error.
const PREDICATES: [(&str, Predicate, bool); 11] = [
    ("permanent", Error::is_permanent, true),
    ("a panic", Error::is_panic, true),
    ("elapsed", Error::is_elapsed, true),
    ("interrupted", Error::is_interrupted, true),
    ("cancelled", Error::is_cancelled, false),
    ("parked", Error::is_parked, false),
    ("not found", Error::is_not_found, false),
    ("ended", Error::is_ended, false),
    ("taken", Error::is_taken, false),
    ("closed", Error::is_closed, false),
    ("store", Error::is_store, false),
];

/// What the predicates say of an error, with the reason if it is that of a parked run.
fn said(error: &Error) -> Vec<String> {
    let said = PREDICATES.iter().filter(|(_, is_so, _)| is_so(error));
    let reason = error.park_reason().map(|reason| format!("for {reason}"));
    said.map(|(name, ..)| (*name).to_owned()).chain(reason).collect()
}

const FAILS: Workflow<String, ()> = Workflow::new("fails");

async fn fails(ctx: &Ctx, how: String) -> Result<()> {
    let hangs = async || std::future::pending::<Result<()>>().await;
    match how.as_str() {
        "a panic" => ctx.step("fails", async || -> Result<()> { panic!("no tea") }).await,
        "elapsed" => ctx.step("fails", hangs).timeout(Duration::from_millis(1)).await,
        "interrupted" => ctx.step("fails", hangs).at_most_once().await,
        "parked" => panic!("no cup"),
        _ => ctx.step("fails", hangs).await,
    }
}

/// The error of a step that may run at most once, and whose process ended.
fn interrupted() -> Result<Error> {
    let store = MemoryStore::new();
    let open = || Executor::builder().workflow(FAILS, fails).open_with(store.shared());
    let executor = open()?;
    let run = executor.start(FAILS, "run", "interrupted".into())?;
    executor.block_on(async {
        run.accepted().await?;
        for _ in 0..10 {
            yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    // A process that is killed drops nothing.
    std::mem::forget(executor);
    let executor = open()?;
    let run = executor.attach(FAILS, "run")?;
    Ok(executor.block_on(run).unwrap_err())
}

/// One error of each kind, as the executor or the store gives it.
fn errors() -> Result<Vec<(&'static str, Error)>> {
    let executor = Executor::builder().workflow(FAILS, fails).in_memory();
    let ended = |how: &str| -> Result<Error> {
        let run = executor.start(FAILS, how, how.into())?;
        Ok(executor.block_on(run).unwrap_err())
    };
    let (panic, elapsed, parked) = (ended("a panic")?, ended("elapsed")?, ended("parked")?);
    let long = executor.start(FAILS, "long", "for ever".into())?;
    let cancelled = executor.block_on(async {
        executor.cancel("long").await?;
        Ok::<_, Error>(long.await.unwrap_err())
    })?;
    let taken =
        executor.start_with(FAILS, "parked", String::new(), Start::new().only_new()).unwrap_err();
    let (not_found, late) =
        (executor.resume("nobody").unwrap_err(), executor.resume("long").unwrap_err());
    executor.block_on(executor.shutdown(Duration::ZERO))?;
    Ok(vec![
        ("permanent", refused()),
        ("a panic", panic),
        ("elapsed", elapsed),
        ("interrupted", interrupted()?),
        ("cancelled", cancelled),
        ("parked", parked),
        ("not found", not_found),
        ("ended", late),
        ("taken", taken),
        ("closed", executor.start(FAILS, "late", String::new()).unwrap_err()),
        ("store", store::Error::refused("the disk is full").into()),
    ])
}

type Wrap = fn(Error) -> BoxError;

const WRAPS: [(&str, Wrap); 6] = [
    ("nothing", |error| error.into()),
    ("anyhow", |error| Err::<(), _>(error).context("a").context("b").unwrap_err().into()),
    ("thiserror", |error| Bank(error).into()),
    ("thiserror, twice", |error| Order(Bank(error)).into()),
    ("a box", |error| Boxed(error.into()).into()),
    ("all of them", |error| {
        let order: anyhow::Error = Order(Bank(error)).into();
        Boxed(order.context("paying").into()).into()
    }),
];

/// A run whose step fails so, and that awaits nothing of it; what the step said goes to `told`.
fn passes_on(error: Error, wrap: Wrap, told: Rc<RefCell<Vec<Vec<String>>>>) -> Builder {
    Executor::builder()
        .workflow(PAY, async move |ctx: &Ctx, ()| -> Result<String, BoxError> {
            let error = error.clone();
            let body = async move || -> Result<String, BoxError> { Err(wrap(error.clone())) };
            let error = ctx.step("charge", body).await.unwrap_err();
            told.borrow_mut().push(said(&error));
            Err(wrap(error))
        })
        .workflow(PARENT, async |ctx: &Ctx, ()| -> Result<Vec<String>> {
            Ok(said(&ctx.child(PAY, ()).await.unwrap_err()))
        })
}

const PARENT: Workflow<(), Vec<String>> = Workflow::new("parent");

/// Out of a body, whatever wraps it there, into the workflow; and out of the workflow, to whoever awaits the
/// run: live, in a replay, after a restart, in a parent and from other threads.
#[test]
fn each_predicate_behind_whatever_wraps_it() -> Result<()> {
    let errors = errors()?;
    assert!(errors.iter().map(|(name, _)| name).eq(PREDICATES.iter().map(|(name, ..)| name)));
    for (name, error) in errors {
        let mut of_step = vec![name.to_owned()];
        of_step.extend((name == "parked").then(|| format!("for {}", ParkReason::Panicked)));
        assert_eq!(said(&error), of_step, "{error:?}");
        let is_kept = PREDICATES.iter().any(|(kept, _, is_kept)| *kept == name && *is_kept);
        let of_run = if is_kept { vec![name.to_owned()] } else { Vec::new() };
        for (how, wrap) in WRAPS {
            let told = Rc::new(RefCell::new(Vec::new()));
            let store = MemoryStore::new();
            let open = || passes_on(error.clone(), wrap, told.clone()).open_with(store.shared());
            let of_end = |executor: &Executor, run: Handle<String>| {
                let error = executor.block_on(run).unwrap_err();
                assert_eq!(said(&error), of_run, "{name} behind {how}: {error:?}");
                error
            };
            let executor = open()?;
            let live = of_end(&executor, executor.start(PAY, "pay", ())?);
            executor.verify("pay")?;
            assert_eq!(*told.borrow(), vec![of_step.clone(); 2], "{name} behind {how}");
            let parent = executor.start(PARENT, "parent", ())?;
            assert_eq!(executor.block_on(parent)?, of_run, "{name} behind {how}");
            executor.verify("parent")?;
            drop(executor);
            let executor = open()?;
            let attached = of_end(&executor, executor.attach(PAY, "pay")?);
            assert_eq!(attached, live, "{name} behind {how}");
            let remote = executor.remote();
            let far = executor.block_on(remote.attach(PAY, "pay")).unwrap_err();
            assert_eq!(far, live, "{name} behind {how}");
            let child = executor.attach(PAY, "parent/1")?;
            of_end(&executor, child);
        }
    }
    Ok(())
}
