//! What is told to those who watch a process by other means than ours: spans (`tracing`) and figures (`metrics`).

mod collected;
mod figures;
mod spans;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Each test has the process for itself. What `tracing` knows of who collects is one for all threads, and a place
/// in the code that is reached for the first time while somebody begins to collect may never tell him.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
