//! Mails of a few customers: a queue with a rate, an order for each customer, a report every night, and
//! accounts that are never wrong.
//!
//! ```sh
//! cargo run --release --example mailer -- mails.redb sent.tsv 200
//! ```
//!
//! sends 200 mails to each customer. The mail server takes so many in any tenth of a second, and the mails of one customer
//! one after the other. Each is paid for by a transaction before it is sent; who has no money left has none
//! sent. Kill it at any moment and start it again (`tests/kill/mailer.rs` does so 50 times): what the server
//! got, what the table of mails has, and what the accounts are short of agree.

mod mail;
mod server;

use std::sync::Arc;
use std::time::Duration;

use dacapo::store::Filter;
use dacapo::{BoxError, Ctx, Executor, Limits, Overlap, Queue, Result, Schedule, join_all};
use futures::StreamExt;

use mail::{
    ACCOUNTS, Account, CUSTOMERS, MAIL, Mail, OUTGOING, STATEMENTS, mail, outgoing, statements,
};
use server::Server;

/// One night after the other.
const NIGHTS: Queue = Queue::new("nights");
const NIGHTLY: &str = "nightly";
/// They are short here. In earnest this is a line of cron: `Cron::new("0 3 * * *").zone("Europe/Oslo")`.
const NIGHT: Duration = Duration::from_millis(300);

fn main() -> Result<(), BoxError> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [db, ledger, mails] = &*args else { return Err("usage: DB LEDGER MAILS".into()) };
    let (mails, server) = (mails.parse()?, Arc::new(Server::open(ledger)?));
    let one = Limits::new().concurrency(1);
    let executor = Executor::builder()
        .workflow(MAIL, async move |ctx: &Ctx, it| mail(ctx, &server, it).await)
        .workflow(STATEMENTS, statements)
        .queue(OUTGOING, Limits::new().rate(20, Duration::from_millis(100)).per_partition(one))
        .queue(NIGHTS, one)
        .schedule(
            NIGHTLY,
            Schedule::every(NIGHT).overlap(Overlap::Queue(NIGHTS)),
            STATEMENTS,
            |tick| tick.run_id(),
        )
        .open(db)?;
    Ok(executor.block_on(send_all(&executor, mails))?)
}

async fn send_all(executor: &Executor, mails: u32) -> Result<()> {
    executor.write(mail::open_accounts).await?;
    executor.resume_schedule(NIGHTLY).await?;
    let all = (0..mails).flat_map(|n| CUSTOMERS.map(|(customer, _)| (customer, n)));
    let mut started = executor.start_all(
        MAIL,
        all.map(|(customer, n)| {
            let mail = Mail { customer: customer.into(), text: format!("offer {n}"), cents: 5 };
            (format!("{customer}-{n}"), mail, outgoing(customer))
        }),
    );
    let mut handles = Vec::new();
    while let Some(handle) = started.next().await {
        handles.push(handle?);
    }
    let numbers: Result<Vec<_>> = join_all(handles).await.into_iter().collect();
    let unpaid = numbers?.iter().filter(|number| number.is_none()).count();

    // The last night is now, and waits for those before it.
    executor.pause_schedule(NIGHTLY, "all is sent").await?;
    let last = executor.trigger(NIGHTLY)?;
    executor.attach(STATEMENTS, &last)?.await?;
    let nights = executor.runs(&Filter::new().attribute("schedule", NIGHTLY))?;
    executor.read(|tables| {
        for (customer, Account { cents, mails }) in tables.range(ACCOUNTS, ..) {
            println!("{customer}: {mails} mails, {cents} cents left");
        }
    })?;
    println!("{unpaid} mails were not paid for; {} nights", nights.len());
    Ok(())
}
