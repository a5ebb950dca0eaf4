//! Runs that are taken up again and wait for children that went on meanwhile.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::open_at;
use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, Timestamp, Workflow, try_join};
use futures::FutureExt;

const ORDER: Workflow<(), u32> = Workflow::new("order");
const PART: Workflow<u32, u32> = Workflow::new("part");
const SECOND: Duration = Duration::from_secs(1);

/// A run that fails at once as long as the world is down, with a child that goes on for two passes whoever asks it to
/// end.
fn builder(is_up: &Rc<Cell<bool>>) -> Builder {
    let is_up = is_up.clone();
    let order = async move |ctx: &Ctx, ()| {
        let is_up = is_up.clone();
        let charge = ctx.step("charge", async move || match is_up.get() {
            true => Ok(1),
            false => Err(Error::new("it is down")),
        });
        let (part, charged) = try_join(ctx.child(PART, 1).id("part-7"), charge).await?;
        Ok::<_, Error>(part + charged)
    };
    let part = async |ctx: &Ctx, passes_left| {
        ctx.shield(ctx.sleep(60 * SECOND)).await;
        if passes_left == 0 { Ok(40) } else { ctx.again(PART, passes_left - 1).await }
    };
    Executor::builder().workflow(ORDER, order).workflow(PART, part)
}

/// A run is taken up again that had failed, when its child had gone on in another pass. It waits for that since.
fn retried(executor: &Executor, clock: &VirtualClock, is_up: &Cell<bool>) {
    let failed = executor.start(ORDER, "order-7", ()).expect("it starts");
    assert!(executor.block_on(failed).is_err());
    executor.block_on(clock.sleep(70 * SECOND));
    assert_eq!(executor.info("part-7").expect("it is there").pass, 2);
    is_up.set(true);
    executor.retry("order-7").expect("it has failed");
    executor.block_on(clock.sleep(10 * SECOND));
}

/// The child began a pass while nobody waited for it, so its history does not say who does since the retry. The
/// end of the child comes to its parent all the same, after a crash, and when it has left memory. (The random worlds
/// led to it.)
#[test]
fn a_child_in_a_later_pass_keeps_its_parent_when_it_comes_back() {
    for (residents_max, crashes) in [(1_000, false), (1_000, true), (0, false), (0, true)] {
        let is_up = Rc::new(Cell::new(false));
        let clock = VirtualClock::new(Timestamp::from_nanos(1));
        let build = || builder(&is_up).resident_max(residents_max);
        let (executor, stores) = open_at(build(), MemoryStore::new(), clock.clone());
        retried(&executor, &clock, &is_up);
        let executor = if crashes {
            drop(executor);
            let last = stores.take().pop().expect("it was committed");
            open_at(build(), last, clock.clone()).0
        } else {
            executor
        };
        executor.block_on(clock.sleep(100 * SECOND));
        let case = format!("{residents_max} in memory, crashes: {crashes}");
        assert_eq!(
            executor.info("order-7").expect("it is there").state.name(),
            "completed",
            "{case}"
        );
        executor.verify("order-7").expect("it is the same run again");
    }
}

/// A run that was taken up again has a child that counts as failed no longer, and comes to its end while it is not in
/// memory: the child is asked to end with it.
#[test]
fn a_child_that_is_awaited_again_ends_with_a_parent_that_is_held() {
    for is_deleted in [false, true] {
        let is_up = Rc::new(Cell::new(false));
        let up = is_up.clone();
        let part = async move |ctx: &Ctx, _| {
            if !up.get() {
                return Err(Error::new("it is down"));
            }
            ctx.sleep(60 * SECOND).await;
            Ok(40)
        };
        let order = async |ctx: &Ctx, ()| ctx.child(PART, 0).id("part-7").await;
        let builder = Executor::builder().workflow(ORDER, order).workflow(PART, part);
        let clock = VirtualClock::new(Timestamp::from_nanos(1));
        let (executor, _stores) = open_at(builder, MemoryStore::new(), clock.clone());
        let failed = executor.start(ORDER, "order-7", ()).expect("it starts");
        assert!(executor.block_on(failed).is_err());
        is_up.set(true);
        executor.retry("part-7").expect("it has failed");
        executor.retry("order-7").expect("it has failed");
        executor.hold("order-7").expect("it goes on");
        let gone = match is_deleted {
            false => executor.terminate("order-7"),
            true => executor.delete("order-7"),
        };
        executor.block_on(gone).expect("it is parked");
        executor.block_on(clock.sleep(SECOND));
        let part = executor.info("part-7").expect("it is there");
        assert_eq!(part.state.name(), "cancelled", "deleted: {is_deleted}");
    }
}

/// The two are one family also when the pass of the child does not say whose child it is.
#[test]
fn a_child_in_a_later_pass_comes_along_with_its_parent() {
    let is_up = Rc::new(Cell::new(false));
    let clock = VirtualClock::new(Timestamp::from_nanos(1));
    let (executor, _stores) = open_at(builder(&is_up), MemoryStore::new(), clock.clone());
    retried(&executor, &clock, &is_up);
    let parent = executor.info("order-7").expect("it is there");
    let family = executor.with_children(&[parent]).expect("they can be read");
    let ids: Vec<_> = family.iter().map(|run| &run.id).collect();
    assert_eq!(ids, ["order-7", "part-7"]);
    let mut exported = Vec::new();
    assert_eq!(
        executor.export(&["order-7"], &mut exported),
        Ok(vec![ids[0].clone(), ids[1].clone()])
    );
    let (other, _stores) = open_at(builder(&is_up), MemoryStore::new(), clock.clone());
    let imported = other.import(&exported[..]).expect("it is whole");
    imported.iter().for_each(|id| other.resume(id).expect("it comes from an export"));
    let run = other.attach(ORDER, "order-7").expect("it is there");
    other.block_on(clock.sleep(100 * SECOND));
    assert_eq!(run.now_or_never(), Some(Ok(41)));
}

/// What a run did about a failure counts no longer when it is taken up again: also that it let a child go.
#[test]
fn a_child_that_was_let_go_because_of_a_failure_is_one_again() {
    let is_up = Rc::new(Cell::new(false));
    let up = is_up.clone();
    let order = async move |ctx: &Ctx, ()| {
        let mut child = ctx.child(PART, 0).id("part-7");
        let up = up.clone();
        let charge = async move || if up.get() { Ok(1) } else { Err(Error::new("it is down")) };
        match try_join(&mut child, ctx.step("charge", charge)).await {
            Ok((part, charged)) => Ok(part + charged),
            Err(error) => {
                child.detach();
                Err(error)
            }
        }
    };
    let part = async |ctx: &Ctx, _| {
        ctx.sleep(60 * SECOND).await;
        Ok::<_, Error>(40)
    };
    let clock = VirtualClock::new(Timestamp::from_nanos(1));
    let builder = Executor::builder().workflow(ORDER, order).workflow(PART, part);
    let (executor, _stores) = open_at(builder, MemoryStore::new(), clock.clone());
    let family = || {
        let parent = executor.info("order-7").expect("it is there");
        executor.with_children(&[parent]).expect("they can be read").len()
    };
    let failed = executor.start(ORDER, "order-7", ()).expect("it starts");
    assert!(executor.block_on(failed).is_err());
    assert_eq!(family(), 1, "it was let go");
    is_up.set(true);
    executor.retry("order-7").expect("it has failed");
    let run = executor.attach(ORDER, "order-7").expect("it is there");
    executor.block_on(clock.sleep(100 * SECOND));
    assert_eq!(run.now_or_never(), Some(Ok(41)));
    assert_eq!(family(), 2, "it is awaited");
}
