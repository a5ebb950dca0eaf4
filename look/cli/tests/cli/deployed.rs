//! Runs of the example `order` as they come to be in a deployment: by its own workflow, under a clock that stands
//! still unless it is moved, so they are the same each time.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{
    Attempt, Builder, Clock, Ctx, Error, Executor, Result, Start, Timestamp, join, join_all,
};
use futures::future::LocalBoxFuture;

use crate::desk;
use crate::orders::{Answer, Order};
use crate::shop::{Outside, Shop};
use crate::workflow::{ORDER, SHIPMENT, hand_over, process_order};

const DAY: Duration = Duration::from_secs(86_400);
/// The 25th of November 2020, 12:04:03 UTC.
const START: u64 = 1_606_305_843_000_000_000;

/// The services: they take as long as the number of the step says, and some never answer.
struct Services {
    /// `None`: they answer at once.
    clock: Option<VirtualClock>,
    is_down: fn(&Attempt) -> bool,
}

impl Outside for Services {
    fn delay<'a>(&'a self, attempt: &'a Attempt) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {
            if (self.is_down)(attempt) {
                std::future::pending::<()>().await;
            }
            if let Some(clock) = &self.clock {
                let number: u32 = part(attempt, 1).parse().expect("a key has the number");
                clock.sleep(Duration::from_millis(240) + Duration::from_millis(140) * number).await;
            }
        })
    }

    fn write<'a>(&'a self, _: &'a Attempt, _: &'a str) -> LocalBoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// A part of the key of a step: the run, the number and the name.
fn part(attempt: &Attempt, at: usize) -> &str {
    attempt.key().split('/').nth(at).expect("a key has these parts")
}

/// The program of the example, with these services.
fn release(orders: &[Order], cooling_off: Duration, services: Services) -> Builder {
    let shop = Rc::new(Shop::new(orders, cooling_off, Rc::new(services)));
    let counter = shop.clone();
    Executor::builder()
        .workflow(ORDER, async move |ctx: &Ctx, order| process_order(ctx, &shop, order).await)
        .workflow(SHIPMENT, async move |ctx: &Ctx, parcels| hand_over(ctx, &counter, parcels).await)
}

fn order(number: u32, customer: &str, skus: &[&str], cents: u64, approval: Answer) -> Order {
    let skus = skus.iter().map(|sku| (*sku).to_owned()).collect();
    let (id, customer) = (format!("order-{number}"), customer.to_owned());
    Order { id, customer, skus, cents, approval, glitch: None }
}

fn orders() -> Vec<Order> {
    let glitch = |order: Order, step: &str| Order { glitch: Some(step.into()), ..order };
    vec![
        order(1007, "eve", &["lamp"], 300_000, Answer::Denied("card declined".into())),
        glitch(order(1001, "ada", &["tea", "cup", "pot"], 250_000, Answer::Granted), "reserve"),
        order(997, "tim", &["clock"], 9_000, Answer::Granted),
        order(1008, "ida", &["radio"], 120_000, Answer::Nobody),
        glitch(order(1009, "alan", &["tea"], 900, Answer::Granted), "capture"),
        order(1012, "grace", &["tea", "honey", "cup"], 2_550, Answer::Granted),
    ]
}

/// The first days, and a process that was killed in the midst of them: the file at `path` is at rest.
pub(crate) fn first_days(path: &Path) -> Result<()> {
    let (all, clock) = (orders(), VirtualClock::new(Timestamp::from_nanos(START)));
    let services = |is_down| Services { clock: Some(clock.clone()), is_down };
    let open = |path: &Path, services| {
        let builder = release(&all, DAY, services).clock(clock.clone());
        builder.seed(7).build_id("1.0").open(path)
    };
    let begun = path.with_extension("killed");
    let executor = open(&begun, services(|attempt| part(attempt, 2) == "capture"))?;
    executor.block_on(async {
        for order in &all[..3] {
            start(&executor, order)?.accepted().await?;
        }
        let people = join_all(all[..2].iter().map(async |order| {
            clock.sleep(Duration::from_secs(192)).await;
            desk::attend(&executor, order).await
        }));
        let (attended, ()) = join(people, clock.sleep(DAY + Duration::from_secs(200))).await;
        attended.into_iter().collect::<Result<()>>()
    })?;
    // What is on the disk while it runs is what a kill leaves.
    fs::copy(&begun, path).map_err(Error::new)?;
    drop(executor);
    fs::remove_file(begun).map_err(Error::new)?;

    let of_parcels = |attempt: &Attempt| attempt.run_id() == "order-997";
    let executor = open(path, services(of_parcels))?;
    executor.block_on(async {
        clock.sleep(DAY).await;
        start(&executor, &all[3])?.accepted().await?;
        clock.sleep(Duration::from_secs(6)).await;
        dacapo::yield_now().await;
        Ok(())
    })
}

fn start(executor: &Executor, order: &Order) -> Result<dacapo::Handle<crate::workflow::Receipt>> {
    let options = Start::new().timeout(10 * DAY).attribute("customer", &order.customer);
    executor.start_with(ORDER, &order.id, order.clone(), options)
}

/// A clock that somebody else moves.
#[derive(Clone)]
pub(crate) struct Still(Arc<AtomicU64>, Arc<AtomicU64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        let set_back = self.1.load(Ordering::Relaxed);
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed) - set_back)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed) - START)
    }
}

impl Still {
    /// Behind [`first_days`].
    pub(crate) fn new() -> Self {
        let later = Duration::from_secs(3 * 86_400);
        let later = u64::try_from(later.as_nanos()).expect("it fits");
        Self(Arc::new(AtomicU64::new(START + later)), Arc::default())
    }

    /// The wall clock is set back; monotonic time is not.
    pub(crate) fn back(&self, time: Duration) {
        self.1.fetch_add(u64::try_from(time.as_nanos()).expect("it fits"), Ordering::Relaxed);
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).expect("it fits"), Ordering::Relaxed);
    }
}

/// The next release: it asks for the money in another step, and what it does not know are the runs under way. The
/// mail of one order does not answer.
pub(crate) fn next_release(clock: Still) -> Builder {
    let is_down = |attempt: &Attempt| attempt.run_id() == "order-1012";
    let services = Services { clock: None, is_down };
    let shop = Rc::new(Shop::new(&orders(), Duration::ZERO, Rc::new(services)));
    let counter = shop.clone();
    let next = async move |ctx: &Ctx, order: Order| {
        if order.id == "order-997" {
            ctx.step("authorize", async || Ok::<_, Error>(())).await?;
        }
        process_order(ctx, &shop, order).await
    };
    Executor::builder()
        .clock(clock)
        .seed(8)
        .build_id("1.1")
        .channel(crate::workflow::APPROVAL)
        .workflow(ORDER, next)
        .workflow(SHIPMENT, async move |ctx: &Ctx, parcels| hand_over(ctx, &counter, parcels).await)
}

/// The orders that come in then.
pub(crate) fn next_orders() -> Vec<Order> {
    orders().split_off(4)
}
