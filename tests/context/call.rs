//! Steps that call a function: how many arguments, and how often they are cloned.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use dacapo::store::MemoryStore;
use dacapo::{BoxError, Ctx, Error, Executor, Result, Retry, Workflow, try_join};

use super::open;

const W: Workflow<(), Vec<String>> = Workflow::new("w");

async fn one(a: String) -> Result<String> {
    Ok(a)
}

/// One argument that is a tuple is one argument.
async fn pair((a, b): (String, u8)) -> Result<String> {
    Ok(format!("{a}{b}"))
}

async fn two(a: String, b: u8) -> Result<String, BoxError> {
    Ok(format!("{a}{b}"))
}

async fn three(a: String, b: u8, c: bool) -> Result<String> {
    Ok(format!("{a}{b}{c}"))
}

async fn four(a: String, b: u8, c: bool, d: char) -> Result<String> {
    Ok(format!("{a}{b}{c}{d}"))
}

async fn five(a: String, b: u8, c: bool, d: char, e: i8) -> Result<String> {
    Ok(format!("{a}{b}{c}{d}{e}"))
}

async fn six(a: String, b: u8, c: bool, d: char, e: i8, f: Vec<u8>) -> Result<String> {
    Ok(format!("{a}{b}{c}{d}{e}{f:?}"))
}

/// An error of its own.
async fn fails(what: &'static str) -> Result<String, std::num::ParseIntError> {
    what.parse::<u8>().map(|n| n.to_string())
}

struct Shop(u8);

impl Shop {
    async fn stock(self: Rc<Self>, item: String) -> Result<String> {
        Ok(format!("{} {item}", self.0))
    }
}

#[test]
fn one_to_six_arguments_methods_and_closures() {
    let build = Executor::builder().workflow(W, async |ctx: &Ctx, ()| -> Result<_> {
        let a = || "a".to_owned();
        let doubled = async |text: String| Ok::<_, Error>(text.repeat(2));
        Ok(vec![
            ctx.call("one", one, a()).await?,
            ctx.call("pair", pair, (a(), 1)).await?,
            ctx.call("two", two, (a(), 1)).await?,
            ctx.call("three", three, (a(), 1, true)).await?,
            ctx.call("four", four, (a(), 1, true, 'd')).await?,
            ctx.call("five", five, (a(), 1, true, 'd', -1)).await?,
            ctx.call("six", six, (a(), 1, true, 'd', -1, vec![6])).await?,
            ctx.call("stock", Shop::stock, (Rc::new(Shop(3)), "cups".to_owned())).await?,
            ctx.call("double", doubled, a()).await?,
            ctx.call("fails", fails, "x").await.expect_err("it is no number").to_string(),
        ])
    });
    let (executor, _) = open(build, MemoryStore::new());
    let ends = executor.block_on(executor.start(W, "run", ()).expect("new")).expect("it ends");
    assert_eq!(ends[..7], ["a", "a1", "a1", "a1true", "a1trued", "a1trued-1", "a1trued-1[6]"]);
    assert_eq!(ends[7..9], ["3 cups", "aa"]);
    assert_eq!(ends[9], r#"step 10 "fails" failed: invalid digit found in string"#);
    executor.verify("run").expect("it replays");
}

/// Counts its clones.
struct Counted(Rc<Cell<u32>>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.set(self.0.get() + 1);
        Self(self.0.clone())
    }
}

/// Each attempt has its own, whatever an earlier one did to it; a replay needs none.
#[test]
fn arguments_are_cloned_for_each_attempt_and_for_nothing_else() {
    const COUNT: Workflow<(), u32> = Workflow::new("count");
    let (clones, left) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
    let (counted, seen) = (clones.clone(), left.clone());
    let build = Executor::builder().workflow(COUNT, async move |ctx: &Ctx, ()| -> Result<u32> {
        async fn take(
            counted: Counted,
            mut text: String,
            seen: Rc<RefCell<Vec<String>>>,
        ) -> Result<u32> {
            text.push('!');
            seen.borrow_mut().push(text);
            if seen.borrow().len() < 3 { Err(Error::new("again")) } else { Ok(counted.0.get()) }
        }
        let arguments = (Counted(counted.clone()), "x".to_owned(), seen.clone());
        let again = Retry::exponential(Duration::ZERO);
        let (built, never) = (arguments.clone(), arguments.clone());
        drop(ctx.call("never polled", take, never));
        let other = ctx.call("other", async |n: u8| Ok::<_, Error>(n), 1);
        Ok(try_join(ctx.call("take", take, built).retry(again), other).await?.0)
    });
    let (executor, _) = open(build, MemoryStore::new());
    let end = executor.block_on(executor.start(COUNT, "run", ()).expect("new")).expect("it ends");
    assert_eq!(end, 2 + 3, "two by the workflow, one for each attempt");
    assert_eq!(*left.borrow(), ["x!", "x!", "x!"]);
    executor.verify("run").expect("it replays");
    assert_eq!(clones.get(), 5 + 2, "a replay calls no function");
}
