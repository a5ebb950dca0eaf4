//! What the simulation holds children and clients to, and what it says of them.

use std::cell::Cell;
use std::rc::Rc;

use dacapo::sim::{self, Sim};
use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Workflow};

use super::failure;

const PARENT: Workflow<(), u32> = Workflow::new("parent");
const CHILD: Workflow<(), u32> = Workflow::new("child");
const GO: Channel<u32> = Channel::new("go");

/// A parent, and a child whose code looks at what its body has left in memory: that is not there in a replay.
fn forgetful(child: impl AsyncFn(&Ctx, u32) -> Result<u32> + Copy + 'static) -> Builder {
    Executor::builder().workflow(PARENT, async |ctx: &Ctx, ()| ctx.child(CHILD, ()).await).workflow(
        CHILD,
        async move |ctx: &Ctx, ()| {
            let weight = Rc::new(Cell::new(0));
            let left = weight.clone();
            let weigh = async move || {
                left.set(30);
                Ok::<_, Error>(())
            };
            ctx.step("weigh", weigh).await?;
            child(ctx, weight.get()).await
        },
    )
}

#[test]
fn a_child_that_ends_otherwise_in_a_replay() {
    let build = |_: &Sim| forgetful(async |_: &Ctx, weight: u32| Ok(weight));
    let why = failure(sim::check(PARENT).start("p", ()).seeds(0..1), build, |_| ());
    assert!(why.contains("run \"p/1\", replayed"), "{why}");
    assert!(why.contains("ends here with another output"), "{why}");
}

#[test]
fn a_child_that_is_parked() {
    let build = |_: &Sim| {
        forgetful(async |ctx: &Ctx, weight: u32| {
            let name = if weight > 20 { "freight" } else { "post" };
            ctx.step(name, async || Ok::<_, Error>(1)).await
        })
    };
    let why = failure(sim::check(PARENT).start("p", ()).seeds(0..1), build, |_| ());
    assert!(why.contains("p/1") && why.contains("freight") && why.contains("post"), "{why}");
}

fn waits(_: &Sim) -> Builder {
    Executor::builder()
        .workflow(PARENT, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(GO).await))
}

#[test]
fn a_client_that_fails_and_one_that_never_ends() {
    let check = || sim::check(PARENT).start("a", ()).seeds(0..1);
    let never_called = failure(check(), waits, |_| ());
    let stalled = "nothing can happen any more, and these have not ended: run \"a\"";
    assert!(never_called.contains(stalled), "{never_called}");

    let fails = check()
        .client(async |_, _| std::future::pending().await)
        .client(async |_, _| Err(Error::new("out of paper")));
    let failed = failure(fails, waits, |_| ());
    assert!(failed.contains("client 2 ended with an error: out of paper"), "{failed}");

    let never_ends = check().client(async |executor, _| {
        executor.send("a", GO, 1).key("webhook").await?;
        std::future::pending().await
    });
    let stalled = failure(never_ends, waits, |_| ());
    assert!(stalled.contains("these have not ended: client 1"), "{stalled}");
}

/// What lies outside: whether the bank answers.
#[derive(Default)]
struct Bank {
    is_up: Cell<bool>,
}

fn pays(sim: &Sim) -> Builder {
    let (bank, sim) = (sim.outside::<Bank>(), sim.clone());
    Executor::builder().workflow(PARENT, async move |ctx: &Ctx, ()| {
        ctx.step("reserve", async || Ok::<_, Error>(1)).await?;
        let (bank, sim) = (bank.clone(), sim.clone());
        let charge = async move |attempt: dacapo::Attempt| {
            sim.note(&attempt);
            if bank.is_up.get() { Ok(7) } else { Err(Error::new("the bank is down")) }
        };
        let charged = ctx.step_with("charge", charge).await?;
        ctx.sleep(std::time::Duration::from_secs(60)).await;
        Ok::<_, Error>(charged)
    })
}

/// Waits for the end of a run, whatever that is; what ends the process does so here, too.
async fn ended(executor: &Executor, id: &str) -> Result<Result<u32>> {
    match executor.attach(PARENT, id)?.await {
        Err(error) if error.is_store() || error.is_closed() => Err(error),
        end => Ok(end),
    }
}

/// Who retries what failed makes another run of it: what it did before says nothing about it.
#[test]
fn a_client_that_retries_what_failed() {
    let check = sim::check(PARENT).start("order", ()).seeds(0..3).disk_faults().crash_loops();
    let check = check.client(async |executor, sim| {
        if ended(executor, "order").await?.is_ok() {
            return Ok(());
        }
        sim.outside::<Bank>().is_up.set(true);
        executor.retry("order")?;
        assert_eq!(ended(executor, "order").await?, Ok(7));
        Ok(())
    });
    let report = check.run_all(pays, |ends| match ends.of("order") {
        Ok(cents) => assert_eq!(*cents, 7),
        Err(error) => assert!(error.to_string().ends_with("the bank is down"), "{error}"),
    });
    assert!(report.crashes > 30 && report.replays > 300, "{report}");
}

/// The same of one that was terminated, and of one that is deleted and started anew.
#[test]
fn a_client_that_terminates_retries_and_deletes() {
    let check = sim::check(PARENT).start("order", ()).seeds(0..3).disk_faults().crash_loops();
    let check = check.client(async |executor, sim| {
        sim.outside::<Bank>().is_up.set(true);
        sim.latency().await;
        // Whether it goes on, or has ended before.
        let asked = executor.terminate("order").await;
        asked.or_else(|error| if error.is_ended() { Ok(()) } else { Err(error) })?;
        if ended(executor, "order").await?.is_err_and(|error| error.is_cancelled()) {
            executor.retry("order")?;
            assert_eq!(ended(executor, "order").await?, Ok(7));
        }
        executor.delete("order").await?;
        executor.start(PARENT, "order", ())?.await.map(drop)
    });
    let report = check.run_all(pays, |_| ());
    assert!(report.crashes > 30 && report.replays > 300, "{report}");
}
