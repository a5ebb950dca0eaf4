//! An operation that nobody awaits does nothing.

#![deny(unused_must_use)]

use dacapo::{Ctx, Result};
use std::time::Duration;

async fn workflow(ctx: &Ctx, (): ()) -> Result<()> {
    ctx.step("charge", async || Result::<u32>::Ok(1));
    ctx.sleep(Duration::from_secs(1));
    ctx.spawn(async |_| ());
    ctx.timeout(Duration::from_secs(1), async {});
    dacapo::race(async {}, async {});
    Ok(())
}

fn main() {}
