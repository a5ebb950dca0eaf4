//! An order that is changed five times in five releases, with runs in flight, without one new name.

use dacapo::store::MemoryStore;
use dacapo::{Channel, Ctx, Error, Executor, Result, Topic, Value, Workflow};
use serde::{Deserialize, Serialize};

use super::{HOUR, open};

/// Starts one run of this release, takes those of the ones before a piece further, and gives the
/// store as the release leaves it.
macro_rules! release {
    ($stored:expr, $id:expr, $order:expr, $type:ty, $more:expr) => {{
        const ORDER: Workflow<$type, $type> = Workflow::new("order");
        const MORE: Channel<$type> = Channel::new("more");
        const STATUS: Topic<$type> = Topic::new("status");
        let order = async |ctx: &Ctx, order: $type| {
            let priced = ctx.step("price", async move || Ok::<_, Error>(order.clone())).await?;
            ctx.publish(STATUS, priced.clone());
            let amended = ctx.receive(MORE).await;
            ctx.sleep(240 * HOUR).await;
            assert_ne!(amended, priced, "the amendment is another order");
            Ok::<_, Error>(amended)
        };
        let builder = Executor::builder().workflow(ORDER, order);
        let (executor, clock, store) = open(builder, $stored);
        let _run = executor.start(ORDER, $id, $order)?;
        executor.block_on(async {
            clock.sleep(HOUR).await;
            executor.send($id, MORE, $more).await
        })?;
        executor.block_on(clock.sleep(HOUR));
        for id in ["first", "second", "third", "fourth", "fifth"] {
            if executor.attach(ORDER, id).is_ok() {
                executor.verify(id)?;
                assert!(executor.latest(id, STATUS)?.is_some());
            }
        }
        assert!(executor.parked()?.is_empty(), "{:?}", executor.parked()?);
        store.now()
    }};
}

fn value<T: Value>(value: T) -> T {
    value
}

mod first {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Order {
        pub(super) sku: String,
        pub(super) count: u8,
        pub(super) state: State,
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) enum State {
        New,
        Paid,
    }
}

/// A field more, and another order of the variants.
mod second {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Order {
        #[serde(default)]
        pub(super) customer: Option<String>,
        pub(super) sku: String,
        pub(super) count: u8,
        pub(super) state: State,
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) enum State {
        Paid,
        New,
    }
}

/// A wider count, and another name for what is sold.
mod third {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Order {
        #[serde(default)]
        pub(super) customer: Option<String>,
        #[serde(alias = "sku")]
        pub(super) article: String,
        pub(super) count: u64,
        pub(super) state: State,
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) enum State {
        Paid,
        Held { until: u64 },
        New,
    }
}

/// Other places, and nobody knows the customer any more.
mod fourth {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Order {
        pub(super) state: super::third::State,
        pub(super) count: u64,
        #[serde(alias = "sku")]
        pub(super) article: String,
    }
}

/// A price, left out where there is none.
mod fifth {
    use super::*;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Order {
        pub(super) state: super::third::State,
        pub(super) count: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(super) price: Option<Price>,
        #[serde(alias = "sku")]
        pub(super) article: String,
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    pub(super) struct Price {
        pub(super) cents: u64,
        pub(super) currency: String,
    }
}

#[test]
fn an_order_is_changed_five_times_with_runs_in_flight() -> Result<()> {
    let sku = || "tea".to_owned();
    let order = |count| first::Order { sku: sku(), count, state: first::State::New };
    let paid = first::Order { state: first::State::Paid, ..order(9) };
    let stored = release!(MemoryStore::new(), "first", order(2), first::Order, paid);

    let order = |count| second::Order {
        customer: Some("ada".into()),
        sku: sku(),
        count,
        state: second::State::Paid,
    };
    let stored = release!(
        stored,
        "second",
        order(3),
        second::Order,
        second::Order { state: second::State::New, ..order(9) }
    );

    let order = |count| third::Order {
        customer: None,
        article: sku(),
        count,
        state: third::State::Held { until: 7 },
    };
    let stored = release!(stored, "third", order(300), third::Order, order(9));

    let order = |count| fourth::Order { state: third::State::New, count, article: sku() };
    let stored = release!(stored, "fourth", order(4), fourth::Order, order(9));

    let order = |price| fifth::Order { state: third::State::Paid, count: 9, price, article: sku() };
    let price = fifth::Price { cents: 250, currency: "EUR".into() };
    let stored = release!(stored, "fifth", order(None), fifth::Order, order(Some(price.clone())));

    // All of them come to their ends in the last release, as what they were.
    const ORDER: Workflow<fifth::Order, fifth::Order> = Workflow::new("order");
    let end = async |ctx: &Ctx, order: fifth::Order| {
        const MORE: Channel<fifth::Order> = Channel::new("more");
        const STATUS: Topic<fifth::Order> = Topic::new("status");
        let priced = ctx.step("price", async move || Ok::<_, Error>(order.clone())).await?;
        ctx.publish(STATUS, priced);
        let amended = ctx.receive(MORE).await;
        ctx.sleep(240 * HOUR).await;
        Ok::<_, Error>(amended)
    };
    let (executor, _, _) = open(Executor::builder().workflow(ORDER, end), stored);
    let amended = |state| fifth::Order { state, ..value(order(None)) };
    let expected = [
        ("first", amended(third::State::Paid)),
        ("second", amended(third::State::New)),
        ("third", amended(third::State::Held { until: 7 })),
        ("fourth", amended(third::State::New)),
        ("fifth", fifth::Order { price: Some(price), ..amended(third::State::Paid) }),
    ];
    for (id, expected) in expected {
        let run = executor.attach(ORDER, id)?;
        assert_eq!(executor.block_on(run)?, expected, "{id}");
        executor.verify(id)?;
    }
    Ok(())
}
