//! What is done for one mail, and for all customers in a night.

use std::sync::Arc;
use std::time::Duration;

use dacapo::{
    BoxError, Ctx, Error, Queue, Result, Retry, Start, Table, Tx, Workflow, try_join_all,
};
use serde::{Deserialize, Serialize};

use super::server::Server;

pub(crate) const MAIL: Workflow<Mail, Option<u64>> = Workflow::new("mail");
pub(crate) const STATEMENTS: Workflow<String, Vec<Option<u64>>> = Workflow::new("statements");
/// To the mail server, which takes so many in a time.
pub(crate) const OUTGOING: Queue = Queue::new("outgoing");

pub(crate) const ACCOUNTS: Table<String, Account> = Table::new("accounts");
/// The mails of each customer, numbered from 1 on: what they cost.
pub(crate) const MAILS: Table<(String, u64), u64> = Table::new("mails");

/// Their names, and the money they begin with.
pub(crate) const CUSTOMERS: [(&str, u64); 4] =
    [("ada", 1_000_000), ("bob", 500), ("eve", 1_000_000), ("joe", 0)];

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    /// What is left.
    pub(crate) cents: u64,
    /// How many were paid for.
    pub(crate) mails: u64,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Mail {
    pub(crate) customer: String,
    pub(crate) text: String,
    pub(crate) cents: u64,
}

/// The mails of one customer are sent one after the other.
pub(crate) fn outgoing(customer: &str) -> Start {
    Start::new().queue(OUTGOING).partition(customer)
}

/// Gives those an account who have none.
pub(crate) fn open_accounts(tx: &mut Tx<'_>) -> Result<()> {
    for (customer, cents) in CUSTOMERS {
        if tx.get(ACCOUNTS, customer).is_none() {
            tx.put(ACCOUNTS, customer, &Account { cents, mails: 0 });
        }
    }
    Ok(())
}

/// Sends a mail, if it can be paid for, and returns its number.
pub(crate) async fn mail(ctx: &Ctx, server: &Arc<Server>, mail: Mail) -> Result<Option<u64>> {
    let Mail { customer, text, cents } = mail;
    let payer = customer.clone();
    let pay = ctx.transaction("pay", move |tx| {
        let mut account = tx.get(ACCOUNTS, &payer).ok_or("there is no such customer")?;
        let Some(left) = account.cents.checked_sub(cents) else { return Ok(None) };
        (account.cents, account.mails) = (left, account.mails + 1);
        tx.put(ACCOUNTS, &payer, &account);
        tx.put(MAILS, &(payer.clone(), account.mails), &cents);
        Ok::<_, BoxError>(Some(account.mails))
    });
    let Some(number) = pay.await? else { return Ok(None) };
    let server = server.clone();
    let send =
        move |attempt: &dacapo::Attempt| server.take(&customer, number, attempt.key(), &text);
    // A kill is an attempt, too.
    ctx.step_blocking("send", send).retry(Retry::exponential(Duration::from_millis(10))).await?;
    Ok(Some(number))
}

/// Tells all customers what they have left. These mails cost nothing.
pub(crate) async fn statements(ctx: &Ctx, night: String) -> Result<Vec<Option<u64>>> {
    let accounts = ctx.transaction("close the books", |tx| {
        Ok::<_, Error>(tx.range(ACCOUNTS, ..).collect::<Vec<_>>())
    });
    let accounts: Vec<(String, Account)> = accounts.await?;
    let mails = accounts.into_iter().map(|(customer, account)| {
        let options = outgoing(&customer);
        let text = format!("{night}: {} cents left", account.cents);
        ctx.child_with(MAIL, Mail { customer, text, cents: 0 }, options)
    });
    try_join_all(mails).await
}
