//! The services of a shop, as they may be anywhere in the world: slow, and at times out of order.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use dacapo::{Attempt, BoxError};
use futures::future::LocalBoxFuture;

use crate::orders::Order;

/// Where the services are.
pub(crate) trait Outside {
    /// How long they take to answer.
    fn delay<'a>(&'a self, attempt: &'a Attempt) -> LocalBoxFuture<'a, ()>;

    /// What they do, for good.
    fn write<'a>(&'a self, attempt: &'a Attempt, step: &'a str) -> LocalBoxFuture<'a, ()>;
}

pub(crate) struct Shop {
    pub(crate) cooling_off: Duration,
    /// By order, the step whose first attempt fails.
    glitches: HashMap<String, String>,
    outside: Rc<dyn Outside>,
}

impl Shop {
    pub(crate) fn new(orders: &[Order], cooling_off: Duration, outside: Rc<dyn Outside>) -> Self {
        let glitches =
            orders.iter().filter_map(|order| Some((order.id.clone(), order.glitch.clone()?)));
        Self { cooling_off, glitches: glitches.collect(), outside }
    }

    pub(crate) async fn reserve(&self, attempt: &Attempt, sku: &str) -> Result<String, BoxError> {
        self.effect(attempt, "reserve").await?;
        Ok(format!("{sku} for {}", attempt.run_id()))
    }

    /// What is reserved for the order is for sale again; nothing happens if it is not.
    pub(crate) async fn restock(&self, attempt: &Attempt, _sku: &str) -> Result<(), BoxError> {
        self.effect(attempt, "restock").await
    }

    pub(crate) async fn hold(&self, attempt: &Attempt, cents: u64) -> Result<String, BoxError> {
        self.effect(attempt, "hold").await?;
        Ok(format!("{cents} cents"))
    }

    /// What the bank holds for the order is free again, and what it took is paid back.
    pub(crate) async fn release(&self, attempt: &Attempt) -> Result<(), BoxError> {
        self.effect(attempt, "release").await
    }

    pub(crate) async fn capture(&self, attempt: &Attempt, hold: &str) -> Result<String, BoxError> {
        self.effect(attempt, "capture").await?;
        Ok(format!("charged {hold}"))
    }

    pub(crate) async fn hand_over(
        &self,
        attempt: &Attempt,
        customer: &str,
        parcels: usize,
    ) -> Result<String, BoxError> {
        self.effect(attempt, "hand over").await?;
        Ok(format!("{parcels} parcels to {customer}"))
    }

    /// What makes a step worth a step: it takes time, it may fail, and it cannot be taken back.
    async fn effect(&self, attempt: &Attempt, step: &str) -> Result<(), BoxError> {
        self.outside.delay(attempt).await;
        let has_glitch = self.glitches.get(attempt.run_id()).is_some_and(|glitch| glitch == step);
        if has_glitch && attempt.number() == 1 {
            return Err(format!("{step}: the service is out of order").into());
        }
        self.outside.write(attempt, step).await;
        Ok(())
    }
}
