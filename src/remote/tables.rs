use core::future::Future;

use futures::channel::oneshot;

use super::{Remote, gone};
use crate::error::{BoxError, Result};
use crate::tables::{Tables, Tx};

impl Remote {
    /// Reads tables; see [`Executor::read`](crate::Executor::read).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Executor, Table};
    /// # const STOCK: Table<String, u64> = Table::new("stock");
    /// let executor = Executor::builder().in_memory();
    /// let left = executor.remote().read(|tables| tables.get(STOCK, "tea"));
    /// assert_eq!(executor.block_on(left)?, None);
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn read<R, F>(&self, read: F) -> impl Future<Output = Result<R>> + Send + use<R, F>
    where
        R: Send + 'static,
        F: FnOnce(&Tables<'_>) -> R + Send + 'static,
    {
        self.call(move |executor| executor.read(read))
    }

    /// Reads and writes tables in one commit; see [`Executor::write`](crate::Executor::write).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// ```
    /// # use dacapo::{Error, Executor, Table};
    /// # const STOCK: Table<String, u64> = Table::new("stock");
    /// let executor = Executor::builder().in_memory();
    /// let stocked = executor.remote().write(|tx| {
    ///     tx.put(STOCK, "tea", &7);
    ///     Ok::<_, Error>(tx.get(STOCK, "tea"))
    /// });
    /// assert_eq!(executor.block_on(stocked)?, Some(7));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn write<T, E, F>(&self, write: F) -> impl Future<Output = Result<T>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: Into<BoxError>,
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let remote = self.clone();
        async move {
            let (give, given) = oneshot::channel();
            let give = move |value| drop(give.send(value));
            remote.post(move |executor| executor.post_write(write, give)).await?;
            given.await.map_err(|_| gone())
        }
    }
}
