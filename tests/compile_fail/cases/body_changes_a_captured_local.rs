//! A body may run again, and never runs in a replay: it must not change what the workflow sees.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, (): ()) -> Result<u32> {
    let mut tries = 0;
    let body = async move || -> Result<u32> {
        tries += 1;
        Ok(tries)
    };
    ctx.step("count", body).await
}

fn main() {}
