//! What lies beside an executor as long as its file is open.

use alloc::boxed::Box;
use alloc::string::String;

use super::Executor;

impl Executor {
    /// Where its file lies: an absolute path. `None`: its store is no file, or the path is not UTF-8.
    ///
    /// ```
    /// assert_eq!(dacapo::Executor::builder().in_memory().path(), None);
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<String> {
        self.shared.engine.store.borrow().path()
    }

    /// Keeps something as long as the file is open: it is dropped first when the executor is dropped, while the
    /// file is still locked. So what stands beside the file for others to find it is gone before somebody else
    /// can open it.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// struct Sign(Rc<Cell<bool>>);
    ///
    /// impl Drop for Sign {
    ///     fn drop(&mut self) {
    ///         self.0.set(true);
    ///     }
    /// }
    ///
    /// let is_gone = Rc::new(Cell::new(false));
    /// let executor = dacapo::Executor::builder().in_memory();
    /// executor.keep(Sign(is_gone.clone()));
    /// assert!(!is_gone.get());
    /// drop(executor);
    /// assert!(is_gone.get());
    /// ```
    pub fn keep(&self, guard: impl Sized + 'static) {
        self.shared.kept.borrow_mut().push(Box::new(guard));
    }
}
