//! A run receives from a channel or a question, not from a name.

use dacapo::{Ctx, Result};

async fn order(ctx: &Ctx, (): ()) -> Result<()> {
    ctx.receive("approval").await;
    Ok(())
}

fn main() {}
