//! A context that is kept would number the operations of whoever holds it.

use dacapo::{Ctx, Executor, Result, Workflow};
use std::cell::Cell;
use std::rc::Rc;

const KEEP: Workflow<(), ()> = Workflow::new("keep");

fn main() {
    let kept: Rc<Cell<Option<&'static Ctx>>> = Rc::default();
    let _ = Executor::builder().workflow(KEEP, async move |ctx: &Ctx, ()| {
        kept.set(Some(ctx));
        Result::<()>::Ok(())
    });
}
