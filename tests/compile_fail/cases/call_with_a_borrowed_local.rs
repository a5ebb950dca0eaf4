//! The same for a variable of the workflow.

use dacapo::{Ctx, Result};

async fn fetch(url: &String) -> Result<usize> {
    Ok(url.len())
}

async fn workflow(ctx: &Ctx, url: String) -> Result<usize> {
    ctx.call("fetch", fetch, &url).await
}

fn main() {}
