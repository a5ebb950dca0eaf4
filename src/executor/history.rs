//! Histories as people and programs read them.

use core::ops::Range;

use dacapo_store::RunKey;

use super::builder::Builder;
#[cfg(feature = "redb")]
use super::builder::options;
use super::runs::RunInfo;
use super::{Executor, admit};
use crate::engine::no_such_run;
#[cfg(feature = "redb")]
use crate::error::Error;
use crate::error::Result;
use crate::history::HistoryPage;

impl Builder {
    /// Opens the file at `path` to look at it: no run is taken up, no byte is changed, and what would change
    /// something is an error. The workflows need not be registered. Several may look at a file at once, also
    /// where nothing can be written.
    ///
    /// # Errors
    ///
    /// If there is no file, if somebody has it open to write, if it is not a store or is damaged.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow, store::Filter};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// # let path = std::env::temp_dir().join(format!("dacapo-look-{}.redb", std::process::id()));
    /// let executor = Executor::builder().workflow(ECHO, echo).open(&path)?;
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// drop(executor);
    ///
    /// let executor = Executor::builder().open_read_only(&path)?;
    /// assert_eq!(executor.runs(&Filter::new())?[0].id, "one");
    /// assert_eq!(executor.history("one", 0..100)?.records, 2);
    /// # drop(executor);
    /// # std::fs::remove_file(path).expect("it is there");
    /// # Ok::<(), Error>(())
    /// ```
    #[cfg(feature = "redb")]
    pub fn open_read_only(self, path: impl AsRef<std::path::Path>) -> Result<Executor> {
        let store = options().read_only().open(path).map_err(|error| Error::store(&error))?;
        self.look_at(store)
    }

    /// The same over any store, which changes if something is changed.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    ///
    /// # Panics
    ///
    /// Panics without `std` if there is no [`clock`](Self::clock).
    ///
    /// ```
    /// # use dacapo::{Error, Executor, store::{Filter, MemoryStore}};
    /// let executor = Executor::builder().look_at(MemoryStore::new())?;
    /// assert!(executor.runs(&Filter::new())?.is_empty());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn look_at(self, store: impl dacapo_store::Store + 'static) -> Result<Executor> {
        let engine = self.over(store)?;
        engine.keep_suspects();
        Ok(Executor::over(engine))
    }
}

impl Executor {
    /// What is known of the run with this id without reading its history, as of the last commit.
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`is_not_found`](crate::Error::is_not_found)), or if the store failed.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let echo = async |_: &Ctx, n: u8| Ok::<_, Error>(n);
    /// let executor = Executor::builder().workflow(ECHO, echo).in_memory();
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// assert!(executor.info("one")?.state.has_ended());
    /// assert!(executor.info("two").unwrap_err().is_not_found());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn info(&self, id: &str) -> Result<RunInfo> {
        admit(&self.shared.engine, format_args!("run {id:?} cannot be looked at"))?;
        self.shared.engine.find(id)?.map(|row| self.info_of(row)).ok_or_else(|| no_such_run(id))
    }

    /// A part of the history of a run, as of the last commit: the records with these seqs, as far as there are
    /// any, and no more than 500 of them, or 16 MiB. [`HistoryPage::next`] says where to go on.
    ///
    /// The run need not be in memory, nor its workflow registered: values are shown by their recorded shapes.
    /// Records that are damaged, or that this build does not know, are in the list and say so. Of a run that
    /// has begun again ([`Ctx::again`](crate::Ctx::again)) it is the last pass; see
    /// [`history_of`](Self::history_of).
    ///
    /// # Errors
    ///
    /// If there is no run with this id ([`is_not_found`](crate::Error::is_not_found)), or if the store failed.
    ///
    /// ```
    /// use dacapo::{Ctx, Error, Executor, HistoryEvent, Workflow};
    ///
    /// const GREET: Workflow<(), String> = Workflow::new("greet");
    /// let greet = async |ctx: &Ctx, ()| {
    ///     ctx.step("compose", async || Ok::<_, Error>("hello".to_owned())).await
    /// };
    /// let executor = Executor::builder().workflow(GREET, greet).in_memory();
    /// executor.block_on(executor.start(GREET, "greet-1", ())?)?;
    ///
    /// let page = executor.history("greet-1", 1..2)?;
    /// assert_eq!((page.records, page.entries.len(), page.next), (3, 1, None));
    /// let HistoryEvent::Ended { number, outcome, .. } = &page.entries[0].event else {
    ///     unreachable!("a step was done")
    /// };
    /// assert_eq!(number.to_string(), "1");
    /// assert_eq!(format!("{:?}", outcome.as_ref().expect("it went well")), r#""hello""#);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn history(&self, id: &str, seqs: Range<u64>) -> Result<HistoryPage> {
        let run = self.info(id)?.key;
        self.shared.engine.page(run, seqs)
    }

    /// The same of the run with this key ([`RunInfo::key`]): also of a pass before the last one, and empty if
    /// there is no such run.
    ///
    /// # Errors
    ///
    /// If the store failed.
    ///
    /// ```
    /// # use dacapo::{Error, Executor, store::RunKey};
    /// let executor = Executor::builder().in_memory();
    /// assert_eq!(executor.history_of(RunKey(7), 0..10)?.records, 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn history_of(&self, run: RunKey, seqs: Range<u64>) -> Result<HistoryPage> {
        admit(&self.shared.engine, format_args!("histories cannot be read"))?;
        self.shared.engine.page(run, seqs)
    }
}
