//! Tables read and written by others than runs.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::posted::Posted;
use super::{Executor, admit};
use crate::engine::Engine;
use crate::error::{BoxError, Error, Failure, Kind, Result};
use crate::panics::Caller;
use crate::tables::{Changes, Tables, Trouble, Tx, TxOnce};
use crate::watch::Watch;

/// A transaction of no run, made by [`Executor::write`]: a future that is ready when it is committed.
///
/// # Cancel safety
///
/// It is posted when it is first polled, and is carried out whether or not it is polled again.
#[must_use = "nothing is written unless it is awaited"]
pub struct Written<T> {
    posted: Posted,
    returned: Rc<Cell<Option<T>>>,
}

impl Executor {
    /// Reads [tables](crate::Table), all as they are after one commit.
    ///
    /// `read` must not block, and cannot use the executor.
    ///
    /// # Errors
    ///
    /// If something cannot be read: a value is of another type, or damaged, or the disk does not answer. If the
    /// executor has stopped.
    ///
    /// ```
    /// use dacapo::{Executor, Table};
    ///
    /// const STOCK: Table<String, u64> = Table::new("stock");
    /// const AS_TEXT: Table<String, String> = Table::new("stock");
    ///
    /// let executor = Executor::builder().in_memory();
    /// executor.block_on(executor.write(|tx| {
    ///     tx.put(STOCK, "tea", &7);
    ///     Ok::<_, dacapo::Error>(())
    /// }))?;
    /// assert_eq!(executor.read(|tables| tables.get(STOCK, "tea"))?, Some(7));
    /// let error = executor.read(|tables| tables.get(AS_TEXT, "tea")).unwrap_err();
    /// assert!(error.to_string().starts_with(
    ///     r#"the value of "tea" in the table "stock" does not decode as alloc::string::String: "#
    /// ));
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn read<R>(&self, read: impl FnOnce(&Tables<'_>) -> R) -> Result<R> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("tables cannot be read"))?;
        let (mut read, mut answer) = (Some(read), None);
        let done = engine.store.borrow().read_tables(&mut |stored| {
            let tables = Tables::new(stored, &engine.world.values, Changes::default());
            if let Some(read) = read.take() {
                let caught = &engine.world.setup.caught;
                let result = caught.calling(Caller::Transaction, || read(&tables));
                answer = Some(tables.into_trouble().map_or(Ok(result), Err));
            }
            Ok(())
        });
        done.map_err(|error| Error::store(&error))?;
        let nothing = || Error::of(Kind::Store, "the store has not shown its tables");
        answer.ok_or_else(nothing)?.map_err(Trouble::into_error)
    }

    /// Reads and writes [tables](crate::Table) in one commit, without a run: to fill them, to mend them.
    ///
    /// It is ready, with what `write` returned, when that is committed. `write` is called once, within
    /// the next commit, in the order of the calls among all transactions; it must not block, and cannot
    /// use the executor. What must not be done twice after a crash belongs into a run:
    /// [`Ctx::transaction`](crate::Ctx::transaction).
    ///
    /// # Errors
    ///
    /// What `write` returns, with nothing written; if it panics ([`Error::is_panic`]); if something cannot be
    /// read or recorded, or it writes more than 64 MiB; if the store failed.
    ///
    /// ```
    /// use dacapo::{Error, Executor, Table};
    ///
    /// const STOCK: Table<String, u64> = Table::new("stock");
    ///
    /// let executor = Executor::builder().in_memory();
    /// let add = |sku: &'static str, count: u64| {
    ///     executor.write(move |tx| {
    ///         let sum = tx.get(STOCK, sku).unwrap_or(0) + count;
    ///         tx.put(STOCK, sku, &sum);
    ///         if sum > 10 { Err(Error::new("the shelf is full")) } else { Ok(sum) }
    ///     })
    /// };
    /// assert_eq!(executor.block_on(add("tea", 7))?, 7);
    /// assert_eq!(executor.block_on(add("tea", 7)).unwrap_err().to_string(), "the shelf is full");
    /// assert_eq!(executor.read(|tables| tables.get(STOCK, "tea"))?, Some(7));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn write<T: 'static, E: Into<BoxError>>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + 'static,
    ) -> Written<T> {
        let returned = Rc::new(Cell::new(None));
        let give = returned.clone();
        let posted = Posted::new(&self.shared, move |engine| {
            post(engine, once(write, move |value| give.set(Some(value))))
        });
        Written { posted, returned }
    }

    /// The same, posted at once, for a caller in another thread; where to wait for the commit.
    pub(crate) fn post_write<T, E: Into<BoxError>>(
        &self,
        write: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + 'static,
        give: impl FnOnce(T) + 'static,
    ) -> Result<Rc<Watch>> {
        self.shared.engine.check()?;
        post(&self.shared.engine, once(write, give))
    }
}

fn once<T, E: Into<BoxError>>(
    write: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + 'static,
    give: impl FnOnce(T) + 'static,
) -> Box<TxOnce> {
    Box::new(move |tx| write(tx).map(give).map_err(|error| Failure::from_error(&*error.into())))
}

fn post(engine: &Engine, transaction: Box<TxOnce>) -> Result<Rc<Watch>> {
    admit(engine, format_args!("tables cannot be written"))?;
    Ok(engine.post_transaction(transaction))
}

impl<T> Future for Written<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        ready!(Pin::new(&mut self.posted).poll(cx))?;
        let returned = self.returned.take();
        Poll::Ready(Ok(returned.expect("it is ready once, and with what was returned")))
    }
}

impl<T> fmt::Debug for Written<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}
