//! Depth and size.

use dacapo::store::MemoryStore;
use dacapo::{Ctx, Error, Executor, Result, Workflow};
use serde::{Deserialize, Serialize};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

fn nested(levels: usize) -> Nested {
    (0..levels).fold(Nested(None), |inner, _| Nested(Some(Box::new(inner))))
}

const DEEP: Workflow<Nested, u32> = Workflow::new("deep");
const GROW: Workflow<usize, usize> = Workflow::new("grow");

fn open(store: &MemoryStore) -> Executor {
    let grow = async |ctx: &Ctx, bytes: usize| {
        let body = async move || Ok::<_, Error>("x".repeat(bytes));
        Ok::<_, Error>(ctx.step("grow", body).await?.len())
    };
    let deep = async |_: &Ctx, nested: Nested| {
        let mut levels = 0;
        let mut at = &nested;
        while let Some(inner) = &at.0 {
            (levels, at) = (levels + 1, inner);
        }
        Ok::<_, Error>(levels)
    };
    let builder = Executor::builder().workflow(DEEP, deep).workflow(GROW, grow).value_max(10_000);
    builder.open_with(store.shared()).expect("a store in memory opens")
}

/// Accepted on a thread with a large stack, it could be read on no other.
#[test]
fn a_value_that_is_nested_too_deep() -> Result<()> {
    let store = MemoryStore::new();
    let executor = open(&store);
    for levels in [100_usize, 128, 129] {
        let run = executor.start(DEEP, &levels.to_string(), nested(levels));
        assert_eq!(run.is_ok(), levels < 129, "{levels}");
    }
    // Drops of that depth have the stack that a service would have.
    let refused = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let executor = open(&MemoryStore::new());
        executor.start(DEEP, "deep", nested(20_000)).map(drop)
    });
    let error = refused.expect("a thread").join().expect("no panic").unwrap_err();
    let expected =
        "the input of run \"deep\" cannot be recorded: it nests more than 128 levels deep";
    assert_eq!(error.to_string(), expected);
    let run = executor.attach(DEEP, "128")?;
    assert_eq!(executor.block_on(run)?, 128);
    Ok(())
}

/// It stops nobody but whoever hands it over.
#[test]
fn an_input_that_is_too_large() -> Result<()> {
    const LENGTH: Workflow<String, usize> = Workflow::new("length");
    let length = async |_: &Ctx, text: String| Ok::<_, Error>(text.len());
    let store = MemoryStore::new();
    let builder = || Executor::builder().workflow(LENGTH, length).value_max(10_000);
    let executor = builder().open_with(store.shared())?;
    let small = executor.start(LENGTH, "small", "x".repeat(9_998))?;
    let expected = "the input of run \"large\" cannot be recorded: it takes 10001 bytes, and at most 10000 \
                    can be recorded: see Builder::value_max";
    let error = executor.start(LENGTH, "large", "x".repeat(9_999)).expect_err("it is too large");
    assert_eq!(error.to_string(), expected);
    let remote = executor.remote();
    let asked = std::thread::spawn(move || remote.start(LENGTH, "large", "x".repeat(9_999)));
    let error = executor.block_on(asked.join().expect("no panic")).expect_err("it is too large");
    assert_eq!(error.to_string(), expected);
    assert_eq!(executor.block_on(small)?, 9_998, "the others go on");
    drop(executor);
    let executor = builder().open_with(store)?;
    assert!(executor.attach(LENGTH, "large").unwrap_err().is_not_found());
    executor.verify("small")
}

#[test]
fn an_outcome_that_is_too_large() -> Result<()> {
    let store = MemoryStore::new();
    let executor = open(&store);
    let small = executor.start(GROW, "small", 9_000)?;
    let error = executor.block_on(executor.start(GROW, "large", 10_001)?).unwrap_err();
    let expected = "step 1 \"grow\" failed: the outcome, a alloc::string::String, cannot be recorded: it \
                    takes 10003 bytes, and at most 10000 can be recorded: see Builder::value_max";
    assert!(error.is_permanent());
    assert_eq!(error.to_string(), expected);
    assert_eq!(executor.block_on(small)?, 9_000, "the others go on");
    drop(executor);
    let executor = open(&store);
    executor.verify("large")?;
    assert!(executor.parked()?.is_empty());
    Ok(())
}
