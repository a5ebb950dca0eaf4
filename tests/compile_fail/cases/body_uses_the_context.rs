//! A durable operation within a body would be numbered by luck.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, (): ()) -> Result<u32> {
    ctx.step("outer", async move || ctx.step("inner", async || Result::<u32>::Ok(1)).await).await
}

fn main() {}
