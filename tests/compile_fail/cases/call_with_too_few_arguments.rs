//! More than one argument is a tuple of as many.

use dacapo::{Ctx, Result};

async fn charge(account: String, cents: u64, currency: String) -> Result<String> {
    Ok(format!("{account} {cents} {currency}"))
}

async fn workflow(ctx: &Ctx, account: String) -> Result<String> {
    ctx.call("charge", charge, (account, 250)).await
}

fn main() {}
