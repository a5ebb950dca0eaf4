//! A shop with hundreds of orders under way at once. Kill it anywhere, start it again: it goes on.
//!
//!     cargo run --release --example order                        # all of them
//!     cargo run --release --example order -- --db a.redb --ledger a.ledger --crash-after 500
//!     cargo run --release --example order -- --db a.redb --ledger a.ledger     # ... and the rest
//!
//! It proves that no step whose outcome is committed runs twice: every side effect is a line in the
//! ledger, with the step's idempotency key. See `--help`.

mod args;
mod ledger;
mod orders;
mod progress;
mod results;
mod shop;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use dacapo::{Attempt, Ctx, Error, Executor, Result, Retry, Workflow};
use dacapo::{join_all, try_join, try_join_all};
use serde::{Deserialize, Serialize};

use args::Args;
use ledger::Ledger;
use orders::{Approval, Order};
use progress::Progress;
use shop::Shop;

const ORDER: Workflow<Order, Receipt> = Workflow::new("order");

/// No limit of attempts: one that a crash cut off counts too, and there may be many crashes.
const PATIENT: Retry =
    Retry::exponential(Duration::from_millis(20)).max_delay(Duration::from_secs(1)).jitter(0.5);

/// Above this, a person must approve.
const LIMIT_CENTS: u64 = 100_000;

#[derive(Serialize, Deserialize)]
struct Receipt {
    charge: String,
    tracking: String,
}

async fn process_order(ctx: &Ctx, shop: &Rc<Shop>, order: Order) -> Result<Receipt> {
    // Reserve every item at once, while the payment branch takes its own steps.
    let reservations = order.skus.iter().map(|sku| {
        let (shop, item) = (shop.clone(), sku.clone());
        let reserve = async move |attempt: Attempt| shop.reserve(&attempt, &item).await;
        ctx.step_with("reserve", reserve).label(sku).retry(PATIENT)
    });
    let payment = hold_payment(ctx, shop, &order);
    let (reservations, (hold, approval)) = try_join(try_join_all(reservations), payment).await?;
    if let Approval::Denied(reason) = approval {
        give_back(ctx, shop, hold, reservations).await?;
        return Err(Error::new(reason));
    }

    ctx.sleep(shop.cooling_off).await; // It outlives the process.

    // The attempt's key is the same in every attempt and after every restart.
    let till = shop.clone();
    let capture = async move |attempt: Attempt| till.capture(&attempt, &hold).await;
    let charge = ctx.step_with("capture", capture).retry(PATIENT).await?;

    let (counter, customer) = (shop.clone(), order.customer);
    let parcels = reservations.len();
    let hand_over = async move |a: Attempt| counter.hand_over(&a, &customer, parcels).await;
    let tracking = ctx.step_with("hand over", hand_over).retry(PATIENT).await?;
    Ok(Receipt { charge, tracking })
}

/// Holds the money, and asks a person if it is much.
async fn hold_payment(ctx: &Ctx, shop: &Rc<Shop>, order: &Order) -> Result<(String, Approval)> {
    let (till, cents) = (shop.clone(), order.cents);
    let hold = async move |attempt: Attempt| till.hold(&attempt, cents).await;
    let hold = ctx.step_with("hold", hold).retry(PATIENT).await?;
    if order.cents <= LIMIT_CENTS {
        return Ok((hold, Approval::Granted));
    }
    let (desk, answer) = (shop.clone(), order.approval.clone());
    let ask = async move |attempt: Attempt| desk.ask(&attempt, &answer).await;
    let approval = ctx.step_with("ask", ask).retry(PATIENT).await?;
    Ok((hold, approval))
}

/// Undoes what was done for an order: the money is free again, and the items are for sale.
async fn give_back(
    ctx: &Ctx,
    shop: &Rc<Shop>,
    hold: String,
    reservations: Vec<String>,
) -> Result<()> {
    let till = shop.clone();
    let release = async move |attempt: Attempt| till.release(&attempt, &hold).await;
    let release = ctx.step_with("release", release).retry(PATIENT);
    let restocked = reservations.into_iter().map(|reservation| {
        let (shop, label) = (shop.clone(), reservation.clone());
        let restock = async move |attempt: Attempt| shop.restock(&attempt, &reservation).await;
        ctx.step_with("restock", restock).label(label).retry(PATIENT)
    });
    try_join(release, try_join_all(restocked)).await?;
    Ok(())
}

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
    let progress = Rc::new(Progress::new(orders.len()));
    let shop = Rc::new(Shop::new(&orders, args.cooling_off));
    let executor = Executor::builder()
        .workflow(ORDER, {
            let shop = shop.clone();
            async move |ctx: &Ctx, order| process_order(ctx, &shop, order).await
        })
        .observer(progress.clone())
        .open(&args.db)?; // Every unfinished order is replayed here, and goes on below.
    let replayed_steps = progress.steps();
    // Not before: had the file been refused, nothing would have changed.
    shop.write_to(Ledger::open(&args.ledger, args.crash_after)?);
    progress.say(&format!("store {}, ledger {}", args.db.display(), args.ledger.display()));

    let ids: Vec<_> = orders.iter().map(|order| order.id.clone()).collect();
    let handles: Result<Vec<_>> = orders
        .into_iter()
        .map(|order| executor.start(ORDER, &order.id.clone(), order)) // Once per id, ever.
        .collect();
    let receipts = handles?.into_iter().map(async |handle| {
        let receipt = handle.await;
        progress.order_ended();
        receipt
    });
    let receipts = executor.block_on(join_all(receipts));
    progress.end();

    let executed_steps = progress.steps() - replayed_steps;
    if executed_steps + replayed_steps == 0 {
        progress.say("all of it was done before; remove both files to begin again");
    }
    let (completed, refused) = results::sum_up(args.results.as_deref(), &ids, receipts)?;
    let orders = ids.len();
    println!(
        "orders={orders} completed={completed} refused={refused} \
         replayed_steps={replayed_steps} executed_steps={executed_steps}"
    );
    Ok(())
}
