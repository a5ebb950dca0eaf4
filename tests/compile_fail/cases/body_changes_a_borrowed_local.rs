//! The same without `move`.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, (): ()) -> Result<u32> {
    let mut tries = 0;
    ctx.step("count", async || {
        tries += 1;
        Result::<()>::Ok(())
    })
    .await?;
    Ok(tries)
}

fn main() {}
