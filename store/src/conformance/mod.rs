//! What every store has to do, as a test: seeded random programs against a plain model.
//!
//! Whoever writes a [`Store`] calls [`check`] with a function that opens it. Everything that can
//! be read is read and compared after every step, and the store is closed and opened again in
//! between. [`Model`] and [`Program`] are there for tests that want to do more, such as crash.
//!
//! ```
//! use dacapo_store::{MemoryStore, conformance};
//!
//! let place = MemoryStore::new();
//! let plan = conformance::Plan { seed: 1, steps: 50, reopen_every: 7 };
//! conformance::check(&plan, || place.shared());
//! ```

mod model;
mod program;

pub use model::Model;
pub use program::{Action, Change, Program};

use crate::Store;

/// How long and in which way [`check`] runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The same seed gives the same program.
    pub seed: u64,
    /// How many steps it has.
    pub steps: u32,
    /// The store is closed and opened again after every so many steps; 0 for never.
    pub reopen_every: u32,
}

/// Runs a random program on the store that `open` opens, which is empty at first.
///
/// `open` is called again, when the store it gave is dropped, to open the same one.
///
/// # Panics
/// If anything that is read differs from the model, with the seed and the step.
pub fn check<S: Store>(plan: &Plan, mut open: impl FnMut() -> S) {
    let mut program = Program::new(plan.seed);
    let mut model = Model::new();
    let mut store = Some(open());
    for step in 0..plan.steps {
        let context = || alloc::format!("seed {}, step {step}", plan.seed);
        let opened = store.as_mut().expect("it was opened");
        let action = program.next_action(&model);
        match action.perform(opened) {
            Ok(()) => {}
            Err(error) => panic!("{}: {action:?} gave an error: {error}", context()),
        }
        model.apply(&action);
        compare(&model, opened, &context());
        if plan.reopen_every != 0 && (step + 1) % plan.reopen_every == 0 {
            drop(store.take());
            store = Some(open());
            let opened = store.as_ref().expect("it was opened");
            compare(&model, opened, &alloc::format!("{}, opened again", context()));
        }
    }
}

fn compare(model: &Model, store: &impl Store, context: &str) {
    if let Err(difference) = model.compare(store) {
        panic!("{context}: {difference}");
    }
}
