//! Runs that somebody holds, from another thread.

use alloc::borrow::ToOwned;
use core::future::Future;

use super::Remote;
use crate::error::Result;

impl Remote {
    /// Parks a run that goes on; see [`Executor::hold`](crate::Executor::hold).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// let error = executor.block_on(executor.remote().hold("order-7")).unwrap_err();
    /// assert_eq!(error.to_string(), r#"there is no run "order-7": check the id, or start it"#);
    /// ```
    pub fn hold(&self, id: &str) -> impl Future<Output = Result<()>> + Send + use<> {
        let id = id.to_owned();
        self.call(move |executor| executor.hold(&id))
    }
}
