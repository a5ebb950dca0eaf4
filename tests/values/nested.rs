//! A `Serialize` that has another value written before it writes its own.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo::{Ctx, Executor, Result, Workflow};
use serde::{Deserialize, Serialize, Serializer};

const KEEP: Workflow<Announced, String> = Workflow::new("keep");
const INNER: Workflow<String, String> = Workflow::new("inner");

thread_local! {
    static EXECUTOR: RefCell<Option<Rc<Executor>>> = RefCell::default();
}

/// Starts a run whenever it is written.
#[derive(Deserialize)]
#[serde(transparent)]
struct Announced(String);

impl Serialize for Announced {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let executor = EXECUTOR.with_borrow(Clone::clone);
        if let Some(executor) = executor {
            let inner = executor.start(INNER, "inner", format!("before {}", self.0));
            drop(inner.expect("it can be started"));
        }
        self.0.serialize(serializer)
    }
}

#[test]
fn a_value_that_has_another_one_written() -> Result<()> {
    let executor = Executor::builder()
        .workflow(KEEP, async |_: &Ctx, announced: Announced| Ok::<_, dacapo::Error>(announced.0))
        .workflow(INNER, async |_: &Ctx, text: String| Ok::<_, dacapo::Error>(text))
        .in_memory();
    let executor = Rc::new(executor);
    EXECUTOR.set(Some(executor.clone()));
    for n in 0..3 {
        let text = format!("value {n}, which is longer than what a value keeps in place");
        let run = executor.start(KEEP, &format!("run-{n}"), Announced(text.clone()))?;
        assert_eq!(executor.block_on(run)?, text);
    }
    EXECUTOR.take();
    let inner = executor.block_on(executor.attach(INNER, "inner")?)?;
    assert_eq!(inner, "before value 0, which is longer than what a value keeps in place");
    Ok(())
}
