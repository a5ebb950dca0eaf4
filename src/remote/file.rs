//! Calls about the file as a whole.

use super::Remote;
use crate::error::Result;

impl Remote {
    /// Copies the file; see [`Executor::backup`](crate::Executor::backup).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// executor.block_on(executor.remote().backup("monday")).unwrap_err(); // It is no file.
    /// ```
    #[cfg(feature = "std")]
    pub fn backup<P: Into<std::path::PathBuf>>(
        &self,
        path: P,
    ) -> impl Future<Output = Result<()>> + Send + use<P> {
        let path = path.into();
        self.call(move |executor| executor.backup(path))
    }

    /// Gives room that is free in the file back to the system; see [`Executor::compact`](crate::Executor::compact).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// let executor = dacapo::Executor::builder().in_memory();
    /// assert_eq!(executor.block_on(executor.remote().compact())?, 0); // It is no file.
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn compact(&self) -> impl Future<Output = Result<u64>> + Send + use<> {
        self.call(|executor| executor.compact())
    }
}
