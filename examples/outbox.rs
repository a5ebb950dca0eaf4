//! An outbox: a row and the message about it, both or neither, wherever the process ends.
//!
//! An order takes from the stock and is booked by one transaction; then it is announced to a broker, which
//! knows each message by its key. The run itself is the outbox: that the order was booked is in its history,
//! so it goes on from there, and announces it. The first process ends at a commit, a later one at each time;
//! another one finishes. What the tables hold and what the broker got is printed for each.
//!
//! ```sh
//! cargo run --example outbox
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use dacapo::store::MemoryStore;
use dacapo::{Attempt, Builder, Ctx, Error, Executor, Result, Table, Workflow};

const ORDER: Workflow<u64, u64> = Workflow::new("order");
const STOCK: Table<String, u64> = Table::new("stock");
const ORDERS: Table<String, u64> = Table::new("orders");

/// What came to the broker, by key. It outlives the process.
type Broker = Rc<RefCell<BTreeMap<String, String>>>;

async fn order(ctx: &Ctx, broker: &Broker, count: u64) -> Result<u64> {
    let id = ctx.id().to_owned();
    let booked = ctx.transaction("book", move |tx| {
        let stock = tx.get(STOCK, "tea").unwrap_or(0);
        let left = stock.checked_sub(count).ok_or(Error::new("sold out").permanent())?;
        tx.put(STOCK, "tea", &left);
        tx.put(ORDERS, &id, &count);
        Ok::<_, Error>(left)
    });
    let left = booked.await?;
    let (broker, id) = (broker.clone(), ctx.id().to_owned());
    let announce = async move |attempt: Attempt| {
        broker.borrow_mut().insert(attempt.key().to_owned(), format!("{id}: {count} of tea"));
        Ok::<_, Error>(())
    };
    ctx.step_with("announce", announce).await?;
    Ok(left)
}

fn build(broker: &Broker) -> Builder {
    let broker = broker.clone();
    Executor::builder()
        .workflow(ORDER, async move |ctx: &Ctx, count| order(ctx, &broker, count).await)
}

/// Orders more than there is, and says whether nothing failed but what was sold out.
fn take_orders(executor: &Executor) -> Result<()> {
    let orders = [("order-1", 4), ("order-2", 5), ("order-3", 3)];
    let orders = orders.map(|(id, count)| executor.start(ORDER, id, count));
    for order in orders {
        match executor.block_on(order?) {
            Err(error) if error.is_store() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    for commits in 0.. {
        let (broker, store) = (Broker::default(), MemoryStore::new());
        let executor = build(&broker).open_with(store.shared())?;
        executor.block_on(executor.write(|tx| {
            tx.put(STOCK, "tea", &10);
            Ok::<_, Error>(())
        }))?;
        store.fail_after(commits);
        let is_cut_off = take_orders(&executor).is_err();
        drop(executor);

        let executor = build(&broker).open_with(store.snapshot())?;
        take_orders(&executor)?;
        let (stock, orders) = executor.read(|tables| {
            (tables.get(STOCK, "tea"), tables.range(ORDERS, ..).collect::<Vec<_>>())
        })?;
        let messages: Vec<_> = broker.borrow().values().cloned().collect();
        let end = if is_cut_off { format!("cut off at commit {commits}") } else { "whole".into() };
        println!("{end}: {stock:?} left, {} orders, messages {messages:?}", orders.len());
        let expected: Vec<_> =
            orders.iter().map(|(id, count)| format!("{id}: {count} of tea")).collect();
        assert_eq!(messages, expected, "a row and a message, or neither");
        assert_eq!(stock, Some(10 - orders.iter().map(|(_, count)| count).sum::<u64>()));
        if !is_cut_off {
            return Ok(());
        }
    }
    Ok(())
}
