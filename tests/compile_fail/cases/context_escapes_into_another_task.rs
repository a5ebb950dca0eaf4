//! Each task numbers its own operations, so it is given a context of its own.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, (): ()) -> Result<u32> {
    ctx.spawn(async move |_| ctx.step("one", async || Result::<u32>::Ok(1)).await).await
}

fn main() {}
