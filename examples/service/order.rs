//! The workflow of an order, on the executor's thread.

use std::{sync::Arc, time::Duration};

use dacapo::{Channel, Ctx, Error, Result, Topic, Workflow, race};
use serde::{Deserialize, Serialize};

use crate::bank::Bank;

pub(crate) const ORDER: Workflow<Order, ()> = Workflow::new("order");
/// Whether a person lets an expensive order pass.
pub(crate) const APPROVAL: Channel<bool> = Channel::new("approval");
pub(crate) const STATUS: Topic<Status> = Topic::new("status");

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) cents: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Status {
    Held,
    AwaitsApproval,
    Charged,
    GivenBack(String),
}

/// The money is taken, or given back when the order is denied, is cancelled or waits too long.
pub(crate) async fn process(ctx: &Ctx, bank: &Arc<Bank>, order: Order) -> Result<()> {
    let given_up = async { Err(Error::new(format_args!("given up: {:?}", ctx.cancelled().await))) };
    let charged = race(charge(ctx, bank, order), given_up).await;
    if let Err(why) = &charged {
        // A hold that was cut off may be there or not: the bank knows.
        ctx.shield(bank.step(ctx, "release")).await?;
        ctx.publish(STATUS, Status::GivenBack(why.to_string()));
    }
    charged
}

async fn charge(ctx: &Ctx, bank: &Arc<Bank>, order: Order) -> Result<()> {
    bank.step(ctx, "hold").await?;
    ctx.publish(STATUS, Status::Held);
    if order.cents > 100_000 {
        ctx.publish(STATUS, Status::AwaitsApproval);
        let approval = ctx.timeout(Duration::from_secs(48 * 3600), ctx.receive(APPROVAL));
        if !approval.await? {
            return Err(Error::new("denied"));
        }
    }
    bank.step(ctx, "capture").await?;
    ctx.publish(STATUS, Status::Charged);
    Ok(())
}
