//! Outputs are compared by what they hold.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use dacapo::sim::{self, Sim};
use dacapo::{Builder, Ctx, Error, Executor, Result, Workflow};

const MAP: Workflow<u32, HashMap<u32, String>> = Workflow::new("map");
const SET: Workflow<u32, HashSet<u32>> = Workflow::new("set");
const NUMBER: Workflow<u32, u32> = Workflow::new("number");

async fn map(ctx: &Ctx, count: u32) -> Result<HashMap<u32, String>> {
    let text = ctx.step("text", async || Ok::<_, Error>("tea".to_owned())).await?;
    Ok((0..count).map(|n| (n, text.clone())).collect())
}

fn build(_: &Sim) -> Builder {
    Executor::builder().workflow(MAP, map)
}

#[test]
fn a_map_is_the_same_in_any_order() -> Result<()> {
    let executor = build_all().in_memory();
    let map = executor.block_on(executor.start(MAP, "map", 40)?)?;
    assert_eq!(map.len(), 40);
    for _ in 0..5 {
        executor.verify("map")?;
    }
    Ok(())
}

#[test]
fn a_map_in_a_simulation() {
    sim::check(MAP).start("map", 20).seeds(0..3).run(build, |map| assert_eq!(map.len(), 20));
}

#[test]
fn a_set_is_told_from_another_output() -> Result<()> {
    let executor = build_all().in_memory();
    executor.block_on(executor.start(SET, "set", 40)?)?;
    let error = executor.verify("set").expect_err("it is in another order");
    let expected = "but the code ends here with another output: it holds the same elements in another \
                    order (a set? Use a BTreeSet, or sort it)";
    assert!(error.is_parked() && error.to_string().contains(expected), "{error}");

    executor.block_on(executor.start(NUMBER, "number", 1)?)?;
    let error = executor.verify("number").expect_err("it is another number");
    let expected = "but the code ends here with another output; ";
    assert!(error.is_parked() && error.to_string().contains(expected), "{error}");
    Ok(())
}

fn build_all() -> Builder {
    let calls = Cell::new(0);
    Executor::builder()
        .workflow(MAP, map)
        .workflow(SET, async |_: &Ctx, count: u32| Ok::<_, Error>((0..count).collect()))
        .workflow(NUMBER, async move |_: &Ctx, n: u32| {
            calls.set(calls.get() + n);
            Ok::<_, Error>(calls.get())
        })
}
