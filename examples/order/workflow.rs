//! The workflow of an order. `examples/simulate.rs` tests it.

use std::rc::Rc;
use std::time::Duration;

use dacapo::{
    Attempt, Channel, Ctx, Error, Result, Retry, Topic, Workflow, race, try_join, try_join_all,
};
use serde::{Deserialize, Serialize};

use crate::orders::Order;
use crate::shop::Shop;

pub(crate) const ORDER: Workflow<Order, Receipt> = Workflow::new("order");
pub(crate) const SHIPMENT: Workflow<Parcels, String> = Workflow::new("shipment");
/// What a person says to an expensive order.
pub(crate) const APPROVAL: Channel<Approval> = Channel::new("approval");
/// How far an order has come.
pub(crate) const STATUS: Topic<Status> = Topic::new("status");

/// No limit of attempts: one that a crash cut off counts too, and there may be many crashes.
const PATIENT: Retry =
    Retry::exponential(Duration::from_millis(20)).max_delay(Duration::from_secs(1)).jitter(0.5);

/// Above this, a person must approve ...
pub(crate) const LIMIT_CENTS: u64 = 100_000;
/// ... within two days.
const TIME_TO_APPROVE: Duration = Duration::from_secs(48 * 3600);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) charge: String,
    pub(crate) tracking: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Parcels {
    customer: String,
    count: usize,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Approval {
    Granted,
    Denied { reason: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Status {
    Reserved,
    AwaitsApproval,
    Charged,
    Shipped,
    GivenBack,
}

/// An order: fulfilled, or given back when it is denied, is cancelled or runs out of time.
pub(crate) async fn process_order(ctx: &Ctx, shop: &Rc<Shop>, order: Order) -> Result<Receipt> {
    let given_up = async { Err(Error::new(format_args!("given up: {:?}", ctx.cancelled().await))) };
    match race(sell(ctx, shop, &order), given_up).await {
        // It is paid, and too late to give up: a cancel that comes now changes nothing.
        Ok(charge) => ctx.shield(ship(ctx, order, charge)).await,
        Err(why) => {
            ctx.shield(give_back(ctx, shop, &order)).await?;
            Err(why)
        }
    }
}

/// Reserves, asks, waits, takes the money. It may be cut off at any point.
async fn sell(ctx: &Ctx, shop: &Rc<Shop>, order: &Order) -> Result<String> {
    // Reserve every item at once, while the bank holds the money.
    let reservations = order.skus.iter().map(|sku| {
        let (shop, item) = (shop.clone(), sku.clone());
        let reserve = async move |attempt: Attempt| shop.reserve(&attempt, &item).await;
        ctx.step_with("reserve", reserve).label(sku).retry(PATIENT)
    });
    let (till, cents) = (shop.clone(), order.cents);
    let hold = async move |attempt: Attempt| till.hold(&attempt, cents).await;
    let hold = ctx.step_with("hold", hold).retry(PATIENT);
    let (_reserved, hold) = try_join(try_join_all(reservations), hold).await?;
    ctx.publish(STATUS, Status::Reserved);

    if order.cents > LIMIT_CENTS {
        ctx.publish(STATUS, Status::AwaitsApproval);
        match ctx.timeout(TIME_TO_APPROVE, ctx.receive(APPROVAL)).await? {
            Approval::Granted => {}
            Approval::Denied { reason } => return Err(Error::new(reason)),
        }
    }
    ctx.sleep(shop.cooling_off).await; // It outlives the process.

    // The attempt's key is the same in every attempt and after every restart.
    let till = shop.clone();
    let capture = async move |attempt: Attempt| till.capture(&attempt, &hold).await;
    let charge = ctx.step_with("capture", capture).retry(PATIENT).await?;
    ctx.publish(STATUS, Status::Charged);
    Ok(charge)
}

/// Leaves the parcels to a run of its own.
async fn ship(ctx: &Ctx, order: Order, charge: String) -> Result<Receipt> {
    let parcels = Parcels { customer: order.customer, count: order.skus.len() };
    let shipment = ctx.child(SHIPMENT, parcels).id(format!("{}-shipment", ctx.id()));
    let tracking = shipment.await?;
    ctx.publish(STATUS, Status::Shipped);
    Ok(Receipt { charge, tracking })
}

/// The child: it may be asked to end, too, when its order runs out of time, and does not listen.
pub(crate) async fn hand_over(ctx: &Ctx, shop: &Rc<Shop>, parcels: Parcels) -> Result<String> {
    let (counter, Parcels { customer, count }) = (shop.clone(), parcels);
    let hand_over = async move |a: Attempt| counter.hand_over(&a, &customer, count).await;
    ctx.shield(ctx.step_with("hand over", hand_over).retry(PATIENT)).await
}

/// Undoes what was done for an order. What was cut off may have taken effect: this leaves it to the
/// bank and to the stock what there is to undo, and asks no variable.
async fn give_back(ctx: &Ctx, shop: &Rc<Shop>, order: &Order) -> Result<()> {
    let till = shop.clone();
    let release = async move |attempt: Attempt| till.release(&attempt).await;
    let release = ctx.step_with("release", release).retry(PATIENT);
    let restocked = order.skus.iter().map(|sku| {
        let (shop, item) = (shop.clone(), sku.clone());
        let restock = async move |attempt: Attempt| shop.restock(&attempt, &item).await;
        ctx.step_with("restock", restock).label(sku).retry(PATIENT)
    });
    try_join(release, try_join_all(restocked)).await?;
    ctx.publish(STATUS, Status::GivenBack);
    Ok(())
}
