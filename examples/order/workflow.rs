//! The workflow of an order. `examples/simulate.rs` tests it.

use std::rc::Rc;
use std::time::Duration;

use dacapo::{Attempt, Ctx, Error, Result, Retry, Workflow, try_join, try_join_all};
use serde::{Deserialize, Serialize};

use crate::orders::{Approval, Order};
use crate::shop::Shop;

pub(crate) const ORDER: Workflow<Order, Receipt> = Workflow::new("order");

/// No limit of attempts: one that a crash cut off counts too, and there may be many crashes.
const PATIENT: Retry =
    Retry::exponential(Duration::from_millis(20)).max_delay(Duration::from_secs(1)).jitter(0.5);

/// Above this, a person must approve.
const LIMIT_CENTS: u64 = 100_000;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) charge: String,
    pub(crate) tracking: String,
}

pub(crate) async fn process_order(ctx: &Ctx, shop: &Rc<Shop>, order: Order) -> Result<Receipt> {
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
