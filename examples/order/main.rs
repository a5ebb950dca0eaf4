//! A shop with hundreds of orders under way at once. Kill it anywhere, start it again: it goes on.
//!
//!     cargo run --release --example order                        # all of them
//!     cargo run --release --example order -- --db a.redb --ledger a.ledger --crash-after 500
//!     cargo run --release --example order -- --db a.redb --ledger a.ledger     # ... and the rest
//!
//! Ctrl-C and SIGTERM end it in order: what is under way is recorded first, so nothing is repeated.
//!
//! It proves that no step whose outcome is committed runs twice: every side effect is a line in the
//! ledger, with the step's idempotency key. See `--help`.

mod args;
mod desk;
mod ledger;
mod orders;
mod progress;
mod results;
mod shop;
mod stop;
mod street;
mod workflow;

use std::future::pending;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use dacapo::{Ctx, Executor, Handle, Result, Start, join_all, race, try_join_all};
use dacapo_control::Control;

use args::Args;
use ledger::Ledger;
use orders::Order;
use progress::Progress;
use shop::Shop;
use stop::Stop;
use street::Street;
use workflow::{APPROVAL, LIMIT_CENTS, ORDER, Receipt, SHIPMENT, hand_over, process_order};

/// An order that takes longer is given back.
const TEN_DAYS: Duration = Duration::from_secs(10 * 86_400);

fn main() -> ExitCode {
    let args = match args::read() {
        Ok(Some(args)) => args,
        Ok(None) => return ExitCode::SUCCESS,
        Err(why) => return fail(2, &why),
    };
    let orders = match orders::read(args.orders.as_deref()) {
        Ok(orders) => orders,
        Err(why) => return fail(2, &why),
    };
    match run(&args, orders) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(1, &why.to_string()),
    }
}

fn fail(status: u8, why: &str) -> ExitCode {
    eprintln!("order: {}", why.replace('\n', " "));
    ExitCode::from(status)
}

fn run(args: &Args, orders: Vec<Order>) -> Result<(), dacapo::BoxError> {
    let mut stop = Stop::listen()?;
    let progress = Rc::new(Progress::new(orders.len()));
    let street = Rc::new(Street::default());
    let shop = Rc::new(Shop::new(&orders, args.cooling_off, street.clone()));
    let executor = Executor::builder()
        .workflow(ORDER, {
            let shop = shop.clone();
            async move |ctx: &Ctx, order| process_order(ctx, &shop, order).await
        })
        .workflow(SHIPMENT, async move |ctx: &Ctx, parcels| hand_over(ctx, &shop, parcels).await)
        // Its type is known then to `dacapo send ORDER approval '"Granted"'`.
        .channel(APPROVAL)
        .observer(progress.clone())
        .open(&args.db)?; // Every unfinished order is replayed here, and goes on below.
    // Now `dacapo -f a.redb list` shows what goes on, in another terminal.
    Control::beside_file().serve(&executor)?;
    // Not before: had the file been refused, nothing would have changed.
    street.write_to(Ledger::open(&args.ledger, args.crash_after)?);
    progress.say(&format!("store {}, ledger {}", args.db.display(), args.ledger.display()));

    let ids: Vec<_> = orders.iter().map(|order| order.id.clone()).collect();
    let handles: Result<Vec<_>> = orders.iter().map(|order| start(&executor, order)).collect();
    let receipts = handles?.into_iter().map(async |handle| {
        let receipt = handle.await;
        progress.order_ended();
        receipt
    });
    let receipts = async { Ok(join_all(receipts).await) };
    let desk = async {
        let asks = orders.iter().filter(|order| order.cents > LIMIT_CENTS);
        try_join_all(asks.map(|order| desk::attend(&executor, order))).await?;
        pending().await // All are answered.
    };
    let say = || progress.say("told to end; once more to end at once");
    let work = race(receipts, desk);
    let receipts: Option<Result<_>> = executor.block_on(stop.or(&executor, work, say))?;
    progress.end();
    let Some(receipts) = receipts else {
        println!("stopped; start it again, and it goes on");
        return Ok(());
    };

    // An order that waited for long is replayed when something comes to it, and not before.
    let executed_steps = street.effects();
    let replayed_steps = progress.steps() - executed_steps;
    if executed_steps + replayed_steps == 0 {
        progress.say("all of it was done before; remove both files to begin again");
    }
    let (completed, refused) = results::sum_up(args.results.as_deref(), &ids, receipts?)?;
    let orders = ids.len();
    println!(
        "orders={orders} completed={completed} refused={refused} \
         replayed_steps={replayed_steps} executed_steps={executed_steps}"
    );
    Ok(())
}

/// Once per id, ever.
fn start(executor: &Executor, order: &Order) -> Result<Handle<Receipt>> {
    let options = Start::new().timeout(TEN_DAYS).attribute("customer", &order.customer);
    executor.start_with(ORDER, &order.id, order.clone(), options)
}
