//! A body is an async function.

use dacapo::{Ctx, Result};

fn length(text: String) -> Result<usize> {
    Ok(text.len())
}

async fn workflow(ctx: &Ctx, text: String) -> Result<usize> {
    ctx.call("length", length, text).await
}

fn main() {}
