//! Simulates the orders of `examples/order`: every choice by a seed, a crash at every commit, again and
//! again, and at every operation on the disk. No order may be charged twice, whatever happens.
//!
//!     cargo run --release --features sim --example simulate             # 10 seeds
//!     cargo run --release --features sim --example simulate -- 100
//!
//! The cooling-off period is a day, and takes no time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use dacapo::sim::{self, Ends, Sim};
use dacapo::{Attempt, Builder, Ctx, Executor, Result};
use futures::future::LocalBoxFuture;

#[path = "order/orders.rs"]
mod orders;
#[path = "order/shop.rs"]
mod shop;
#[path = "order/workflow.rs"]
mod workflow;

use orders::{Approval, Order};
use shop::{Outside, Shop};
use workflow::{ORDER, Receipt, process_order};

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
        .workflow(ORDER, async move |ctx: &Ctx, order| process_order(ctx, &shop, order).await)
}

/// However often the process ended: what was sold is charged and sent once, what was refused is given
/// back, and nothing else happened.
fn check_books(orders: &[Order], ends: &Ends<Receipt>) {
    let books = ends.sim().outside::<Books>();
    let books = books.0.borrow();
    for order in orders {
        let times =
            |step: &str| books.get(&(order.id.clone(), step.to_owned())).map_or(0, BTreeSet::len);
        let (items, end): (_, &Result<Receipt>) = (order.skus.len(), ends.of(&order.id));
        let given_back = match order.approval {
            Approval::Denied(_) => items,
            Approval::Granted => 0,
        };
        assert_eq!(end.is_err(), given_back > 0, "{}: {end:?}", order.id);
        assert_eq!((times("reserve"), times("restock")), (items, given_back));
        let sold = usize::from(given_back == 0);
        assert_eq!((times("hold"), times("release")), (1, 1 - sold));
        assert_eq!((times("capture"), times("hand over")), (sold, sold));
    }
}

fn main() -> Result<(), dacapo::BoxError> {
    let seeds = std::env::args().nth(1).map_or(Ok(10), |seeds| seeds.parse())?;
    // One that needs a person and gets a yes, one with a no, one with a service out of order.
    let all = orders::read(None)?;
    let denied = |order: &&Order| matches!(order.approval, Approval::Denied(_));
    let kinds: [&dyn Fn(&&Order) -> bool; 3] =
        [&|order| order.cents > 100_000 && !denied(order), &denied, &|order| {
            order.glitch.is_some() && !denied(order)
        }];
    let chosen = kinds.iter().filter_map(|kind| all.iter().find(kind));
    let orders: Vec<Order> = chosen.cloned().collect();

    let check = orders
        .iter()
        .fold(sim::check(ORDER), |check, order| check.start(&order.id, order.clone()))
        .seeds(0..seeds)
        .crash_loops()
        .disk_faults();
    let report = check.run_all(|sim| build(sim, &orders), |ends| check_books(&orders, ends));
    println!("orders={} seeds={seeds} {report}", orders.len());
    Ok(())
}
