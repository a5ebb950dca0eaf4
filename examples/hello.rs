//! A workflow, a file, a run. Start it a second time: nothing runs again, the answer is there.
//!
//!     cargo run --example hello

use dacapo::{Ctx, Error, Executor, Result, Workflow};

const GREET: Workflow<String, String> = Workflow::new("greet");

async fn greet(ctx: &Ctx, name: String) -> Result<String> {
    let compose = async move || {
        println!("composing ... (this runs once, ever)");
        Ok::<_, Error>(format!("hello, {name}"))
    };
    ctx.step("compose", compose).await
}

fn main() -> Result<()> {
    let path = std::env::temp_dir().join("dacapo-hello.redb");
    let executor = Executor::builder().workflow(GREET, greet).open(&path)?;
    let run = executor.start(GREET, "greet-world", "world".into())?;
    println!("{} (remembered in {})", executor.block_on(run)?, path.display());
    Ok(())
}
