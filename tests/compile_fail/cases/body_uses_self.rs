//! A method's `self` is borrowed from the workflow, too.

use dacapo::{Ctx, Result};

struct Shop;

impl Shop {
    async fn reserve(&self) -> Result<u32> {
        Ok(1)
    }

    async fn order(&self, ctx: &Ctx) -> Result<u32> {
        ctx.step("reserve", async move || self.reserve().await).await
    }
}

fn main() {}
