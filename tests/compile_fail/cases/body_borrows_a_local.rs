//! A body that borrows would have to live inside the workflow, and be polled with it.

use dacapo::{Ctx, Result};

async fn workflow(ctx: &Ctx, name: String) -> Result<String> {
    let greeting = format!("hello {name}");
    ctx.step("greet", async || Result::<String>::Ok(greeting.clone())).await
}

fn main() {}
