//! Simulates the orders of `examples/order`: every choice by a seed, a crash at every commit, again and
//! again, and at every operation on the disk. No order may be charged twice, whatever happens; and what is
//! not sent, for whatever reason, is given back.
//!
//!     cargo run --release --features sim --example simulate             # 10 seeds
//!     cargo run --release --features sim --example simulate -- 100
//!
//! The cooling-off period is a day, nobody approves for two days, and that takes no time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Ends, Sim};
use dacapo::{Attempt, Builder, Ctx, Executor, Result, try_join_all};
use futures::future::LocalBoxFuture;

#[path = "order/desk.rs"]
mod desk;
#[path = "order/orders.rs"]
mod orders;
#[path = "order/shop.rs"]
mod shop;
#[path = "order/workflow.rs"]
mod workflow;

use orders::{Answer, Order};
use shop::{Outside, Shop};
use workflow::{LIMIT_CENTS, ORDER, Receipt, SHIPMENT, STATUS, hand_over, process_order};

/// The order whose customer may cancel at any time.
const HASTY: &str = "hasty";
const DAY: Duration = Duration::from_secs(86_400);

/// What the services did, by order and step: the idempotency keys that they were given.
#[derive(Default)]
struct Books(RefCell<BTreeMap<(String, String), BTreeSet<String>>>);

/// The services of a simulation: they take virtual time, and their books outlive the process.
struct Simulated {
    sim: Sim,
    books: Rc<Books>,
}

impl Outside for Simulated {
    fn delay<'a>(&'a self, _attempt: &'a Attempt) -> LocalBoxFuture<'a, ()> {
        Box::pin(self.sim.latency())
    }

    fn write<'a>(&'a self, attempt: &'a Attempt, step: &'a str) -> LocalBoxFuture<'a, ()> {
        self.sim.note(attempt);
        let entry = (attempt.run_id().to_owned(), step.to_owned());
        self.books.0.borrow_mut().entry(entry).or_default().insert(attempt.key().into());
        Box::pin(async {})
    }
}

/// One process with a shop, as `main` of the example makes it.
fn build(sim: &Sim, orders: &[Order]) -> Builder {
    let outside = Simulated { sim: sim.clone(), books: sim.outside::<Books>() };
    let shop = Rc::new(Shop::new(orders, DAY, Rc::new(outside)));
    Executor::builder()
        .workflow(ORDER, {
            let shop = shop.clone();
            async move |ctx: &Ctx, order| process_order(ctx, &shop, order).await
        })
        .workflow(SHIPMENT, async move |ctx: &Ctx, parcels| hand_over(ctx, &shop, parcels).await)
}

/// The people around the orders, in each process anew.
async fn attend(executor: &Executor, sim: &Sim, orders: &[Order]) -> Result<()> {
    let attended = orders.iter().map(async |order| {
        while let Err(why) = executor.latest(&order.id, STATUS) {
            if !why.is_not_found() {
                return Err(why);
            }
            sim.latency().await; // It is not there yet.
        }
        if order.id == HASTY {
            // The customer cancels at any time, also when it is too late.
            sim.clock().sleep(DAY * (sim.random() % 130) as u32 / 100).await;
            return executor.cancel(HASTY).await;
        }
        desk::attend(executor, order).await
    });
    try_join_all(attended).await?;
    Ok(())
}

/// However often the process ended: what was sold is charged and sent once, what was not is given back,
/// and nothing else happened.
fn check_books(orders: &[Order], ends: &Ends<Receipt>) {
    let books = ends.sim().outside::<Books>();
    let books = books.0.borrow();
    for order in orders {
        let times = |run: &str, step: &str| {
            books.get(&(run.to_owned(), step.to_owned())).map_or(0, BTreeSet::len)
        };
        let (id, items, end) = (&order.id, order.skus.len(), ends.of(&order.id));
        let sold = usize::from(end.is_ok());
        if id != HASTY {
            let is_granted = matches!(order.approval, Answer::Granted);
            assert_eq!(end.is_ok(), is_granted, "{id}: {end:?}");
            assert_eq!((times(id, "reserve"), times(id, "hold")), (items, 1));
            assert_eq!(times(id, "capture"), sold);
        }
        assert_eq!((times(id, "restock"), times(id, "release")), ((1 - sold) * items, 1 - sold));
        assert_eq!(times(&format!("{id}-shipment"), "hand over"), sold);
        assert!(times(id, "capture") >= sold, "{id}: it is sent, and not charged");
        assert!(times(id, "capture") <= 1 && times(id, "hold") <= 1, "{id}: it is charged twice");
    }
}

fn main() -> Result<(), dacapo::BoxError> {
    let seeds = std::env::args().nth(1).map_or(Ok(10), |seeds| seeds.parse())?;
    // One that needs a person and gets a yes, one that gets a no, one that is cancelled meanwhile, one
    // with a service out of order.
    let all = orders::read(None)?;
    let is_dear = |order: &Order| order.cents > LIMIT_CENTS;
    let kinds: [&dyn Fn(&&Order) -> bool; 4] = [
        &|order| is_dear(order) && order.approval == Answer::Granted,
        &|order| matches!(order.approval, Answer::Denied(_)),
        &|order| order.approval == Answer::Cancelled,
        &|order| order.glitch.is_some() && !is_dear(order),
    ];
    let chosen = kinds.iter().filter_map(|kind| all.iter().find(kind));
    let mut orders: Vec<Order> = chosen.cloned().collect();
    // One that nobody looks at, and one that is cancelled at any time.
    let like = |id: &str, approval| Order { id: id.into(), approval, ..orders[0].clone() };
    orders.extend([like("overlooked", Answer::Nobody), like(HASTY, Answer::Granted)]);

    let check = orders
        .iter()
        .fold(sim::check(ORDER), |check, order| check.start(&order.id, order.clone()))
        .seeds(0..seeds)
        .crash_loops()
        .disk_faults()
        .client({
            let orders = orders.clone();
            async move |executor, sim| attend(executor, sim, &orders).await
        });
    let report = check.run_all(|sim| build(sim, &orders), |ends| check_books(&orders, ends));
    println!("orders={} seeds={seeds} {report}", orders.len());
    Ok(())
}
