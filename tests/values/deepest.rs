//! The deepest values that are accepted, on a thread with a stack of 2 MiB, wherever values go.

use std::error::Error as StdError;
use std::fmt;
use std::thread;

use dacapo::store::MemoryStore;
use dacapo::{
    BoxError, Builder, Channel, Ctx, Error, Executor, Question, Result, Start, Topic, Value,
    Workflow,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Tagged {
    Leaf { n: u8 },
    Branch { inner: Box<Tagged> },
}

fn tree(levels: usize) -> Tree {
    (1..levels).fold(Tree::Leaf, |tree, _| Tree::Branch(Box::new(tree)))
}

fn tagged(levels: usize) -> Tagged {
    let branch = |inner, _| Tagged::Branch { inner: Box::new(inner) };
    (1..levels).fold(Tagged::Leaf { n: 1 }, branch)
}

fn json(levels: usize) -> serde_json::Value {
    (0..levels).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]))
}

/// What stacks of threads are, unless somebody says otherwise.
const STACK: usize = 2 << 20;

fn on_a_small_stack(work: impl FnOnce() -> Result<()> + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(work).expect("a thread");
    thread.join().expect("the stack is large enough").expect("all is well");
}

/// The second operation of its parent that has a number.
const CHILD: &str = "run/3";

/// A run that hands its input on in every way that there is.
fn hands_on<T: Value + Clone + PartialEq + fmt::Debug>() -> Builder {
    let (echo, all) = (Workflow::<T, T>::new("echo"), Workflow::<T, T>::new("all"));
    let echoes = async |ctx: &Ctx, value: T| {
        let received = ctx.receive(Channel::<T>::new("value")).await;
        assert_eq!(received, value);
        let asked = ctx.receive(Question::<T, T>::new("same")).await;
        let answer = asked.question.clone();
        asked.answer(ctx, answer);
        Ok::<_, Error>(value)
    };
    let hands_on = async move |ctx: &Ctx, value: T| {
        let body = value.clone();
        let outcome = ctx.step("same", async move || Ok::<_, Error>(body.clone())).of(&value);
        assert_eq!(outcome.await?, value);
        ctx.publish(Topic::<T>::new("value"), value.clone());
        let mut child = ctx.child(echo, value.clone());
        child.started().await?;
        ctx.send(CHILD, Channel::<T>::new("value"), value.clone()).await?;
        let echoed = child.await?;
        assert_eq!(echoed, value);
        Ok::<_, Error>(echoed)
    };
    Executor::builder().workflow(echo, echoes).workflow(all, hands_on)
}

fn goes_everywhere<T: Value + Clone + PartialEq + fmt::Debug>(value: &T) -> Result<()> {
    let store = MemoryStore::new();
    let all = Workflow::<T, T>::new("all");
    let executor = hands_on::<T>().open_with(store.shared())?;
    let run = executor.start_with(all, "run", value.clone(), Start::new().same_input())?;
    executor.block_on(async {
        run.accepted().await?;
        while executor.info(CHILD).is_err() {
            dacapo::yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    // The end of a process, before its end: both are replayed.
    drop((run, executor));
    let executor = hands_on::<T>().open_with(store.shared())?;
    let same = Question::<T, T>::new("same");
    let answer = executor.block_on(executor.ask(CHILD, same, value.clone()))?;
    assert_eq!(answer, *value);
    let run = executor.start_with(all, "run", value.clone(), Start::new().same_input())?;
    assert_eq!(executor.block_on(run)?, *value);
    let latest = executor.latest("run", Topic::<T>::new("value"))?;
    assert_eq!(latest.map(|value| format!("{value:?}").len() > 128), Some(true));
    executor.verify("run")?;
    executor.verify(CHILD)?;
    assert!(executor.unread_fields("run")?.is_empty());
    for id in ["run", CHILD] {
        let shown = format!("{:#?}", executor.history(id, 0..100)?);
        assert!(shown.len() > 256, "{shown}");
    }
    let mut exported = Vec::new();
    executor.export(&["run", CHILD], &mut exported)?;
    let other = hands_on::<T>().in_memory();
    other.import(&exported[..])?;
    other.verify("run")
}

#[test]
fn the_deepest_values_need_little_stack() {
    on_a_small_stack(|| goes_everywhere(&tree(128)));
    on_a_small_stack(|| goes_everywhere(&tagged(128)));
    on_a_small_stack(|| goes_everywhere(&json(128)));
    on_a_small_stack(|| {
        let too_deep = hands_on::<Tree>().in_memory();
        let refused = too_deep.start(Workflow::<Tree, Tree>::new("all"), "run", tree(129));
        assert!(refused.unwrap_err().to_string().contains("128 levels deep"));
        Ok(())
    });
}

/// An error with as many causes, each of so many bytes.
#[derive(Debug)]
struct Chain(usize, Option<Box<Chain>>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&"x".repeat(self.0))
    }
}

impl StdError for Chain {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

/// The longest chain of causes that is kept, and one that is longer.
#[test]
fn the_longest_error_needs_little_stack() {
    const FAILS: Workflow<usize, ()> = Workflow::new("fails");
    let open = |store: &MemoryStore| {
        let fails = async |ctx: &Ctx, causes: usize| -> Result<(), BoxError> {
            let body = async move || -> Result<(), BoxError> {
                let chain = (0..causes)
                    .fold(Chain(70_000, None), |cause, _| Chain(70_000, Some(Box::new(cause))));
                Err(chain.into())
            };
            Ok(ctx.step("fails", body).await?)
        };
        Executor::builder().workflow(FAILS, fails).open_with(store.shared())
    };
    for causes in [32, 1_000] {
        on_a_small_stack(move || {
            let store = MemoryStore::new();
            let executor = open(&store)?;
            let error = executor.block_on(executor.start(FAILS, "run", causes)?).unwrap_err();
            let length = std::iter::successors(error.source(), |&error| error.source()).count();
            assert_eq!(length, 32);
            executor.verify("run")?;
            drop(executor);
            let executor = open(&store)?;
            let again = executor.block_on(executor.attach(FAILS, "run")?).unwrap_err();
            assert_eq!(again, error);
            executor.verify("run")?;
            let shown = format!("{:?}", executor.history("run", 0..100)?);
            assert!(shown.len() > 32 << 16);
            Ok(())
        });
    }
}
