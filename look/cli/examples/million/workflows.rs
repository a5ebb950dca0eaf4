//! What the runs do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dacapo::{Builder, Ctx, Error, Executor, Result, Workflow};
use serde::{Deserialize, Serialize};

/// Two steps.
pub(crate) const ORDER: Workflow<Order, Shipped> = Workflow::new("order");
/// So many steps, a hundred at once, of which one in 100,000 fails.
pub(crate) const LONG: Workflow<u32, u64> = Workflow::new("long");
/// One step after another until it is told to stop, with so long a pause before the first, and between two.
pub(crate) const BUSY: Workflow<(Duration, Duration), ()> = Workflow::new("busy");
/// Each commit waits for the disk, so a million of them would take long.
const AT_ONCE: usize = 100;

/// It ends after that time.
pub(crate) const PAUSE: Workflow<Duration, ()> = Workflow::new("pause");

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    customer: String,
    skus: Vec<String>,
    cents: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Shipped {
    charge: String,
    tracking: String,
}

impl Order {
    pub(crate) fn new(number: u32) -> Self {
        let skus = ["tea", "cup", "pot"].map(String::from).into();
        Self { customer: format!("customer-{}", number % 1_000), skus, cents: number.into() }
    }
}

async fn order(ctx: &Ctx, order: Order) -> Result<Shipped> {
    let cents = order.cents;
    let charge = async move || Result::<String>::Ok(format!("ch_{cents}"));
    let charge = ctx.step("charge", charge).await?;
    let ship = async move || Result::<String>::Ok(format!("1Z{cents}"));
    Ok(Shipped { charge, tracking: ctx.step("ship", ship).await? })
}

async fn long(ctx: &Ctx, steps: u32) -> Result<u64> {
    let add = |n: u32| {
        ctx.step("add", async move || match n % 100_000 {
            0 => Err(Error::new(format!("no {n}")).permanent()),
            _ => Ok(u64::from(n)),
        })
    };
    let mut sum = 0;
    for first in (0..steps).step_by(AT_ONCE) {
        let some = dacapo::join_all((first..steps.min(first + AT_ONCE as u32)).map(add)).await;
        sum += some.into_iter().flatten().sum::<u64>();
    }
    Ok(sum)
}

/// How long steps take, and whether there are to be more of them.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    pub(crate) is_over: Rc<Cell<bool>>,
    pub(crate) micros: Rc<RefCell<Vec<u32>>>,
}

pub(crate) fn build(watch: &Watch) -> Builder {
    let watch = watch.clone();
    let busy = async move |ctx: &Ctx, pauses| busy(ctx, pauses, &watch).await;
    let builder = Executor::builder().workflow(ORDER, order).workflow(LONG, long);
    builder.workflow(BUSY, busy).workflow(PAUSE, pause)
}

async fn pause(ctx: &Ctx, time: Duration) -> Result<()> {
    ctx.sleep(time).await;
    Ok(())
}

/// Looks at the clock between steps, which a workflow must not do: nothing that is recorded depends on it.
async fn busy(ctx: &Ctx, pauses: (Duration, Duration), watch: &Watch) -> Result<()> {
    let (first, pause) = pauses;
    ctx.sleep(first).await;
    while !watch.is_over.get() {
        // From when it was due: whoever comes late to a step has waited for it.
        let start = Instant::now() + pause;
        if !pause.is_zero() {
            ctx.sleep(pause).await;
        }
        ctx.step("add", async || Result::<u64>::Ok(7)).await?;
        let micros = start.elapsed().as_micros();
        watch.micros.borrow_mut().push(u32::try_from(micros).unwrap_or(u32::MAX));
    }
    Ok(())
}
