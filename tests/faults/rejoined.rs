//! Runs that are taken up again and wait for children that went on meanwhile.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::open_at;
use dacapo::sim::VirtualClock;
use dacapo::store::MemoryStore;
use dacapo::{Builder, Ctx, Error, Executor, Timestamp, Workflow, try_join};

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
