//! The function says what the arguments are, so the message points at them.

use dacapo::{Ctx, Result};

async fn greet(name: String) -> Result<String> {
    Ok(name)
}

async fn workflow(ctx: &Ctx, (): ()) -> Result<String> {
    ctx.call("greet", greet, 7_u64).await
}

fn main() {}
