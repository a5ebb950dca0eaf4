//! The arguments live beside the workflow, as the body does.

use dacapo::{Ctx, Result};

async fn fetch(urls: &[String]) -> Result<usize> {
    Ok(urls.len())
}

async fn workflow(ctx: &Ctx, urls: &Vec<String>) -> Result<usize> {
    ctx.call("fetch", fetch, urls).await
}

fn main() {}
