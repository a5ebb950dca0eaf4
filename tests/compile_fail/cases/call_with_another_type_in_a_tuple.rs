//! The same for one of several.

use dacapo::{Ctx, Result};

async fn charge(account: String, cents: u64) -> Result<String> {
    Ok(format!("{account} {cents}"))
}

async fn workflow(ctx: &Ctx, account: String) -> Result<String> {
    ctx.call("charge", charge, (account, "250")).await
}

fn main() {}
