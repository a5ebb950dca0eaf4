//! A body is called once for each attempt.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, name: String) -> Result<String> {
    ctx.step("greet", async move || Result::<String>::Ok(name)).await
}

fn main() {}
