//! The file as a whole: copied, and given back what is free in it.

use super::{Executor, admit};
use crate::error::Result;
#[cfg(feature = "std")]
use crate::error::{Error, Kind};

impl Executor {
    /// Copies the file, as of the last commit, to a path where there is nothing. The copy opens as the file
    /// itself would after a crash.
    ///
    /// It is made on this thread, so nothing else happens meanwhile. It has its name when it is whole and
    /// on the disk.
    ///
    /// # Errors
    ///
    /// If there is a file at `path`, if it cannot be written, if the path is not UTF-8, or if the store is
    /// no file. The executor goes on.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Workflow};
    /// # const ECHO: Workflow<u8, u8> = Workflow::new("echo");
    /// # let build = || Executor::builder()
    /// #     .workflow(ECHO, async |_: &Ctx, n: u8| Ok::<_, dacapo::Error>(n));
    /// # let directory = std::env::temp_dir().join(format!("dacapo-copy-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).expect("it is made");
    /// let executor = build().open(directory.join("runs"))?;
    /// executor.block_on(executor.start(ECHO, "one", 1)?)?;
    /// executor.backup(directory.join("monday"))?;
    /// let copy = build().open(directory.join("monday"))?;
    /// assert_eq!(copy.block_on(copy.attach(ECHO, "one")?)?, 1);
    /// # drop((executor, copy));
    /// # std::fs::remove_dir_all(&directory).expect("it is there");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    #[cfg(feature = "std")]
    pub fn backup(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        let engine = &self.shared.engine;
        engine.check()?;
        admit(engine, format_args!("the store cannot be copied"))?;
        let path = path.as_ref().to_str().ok_or_else(|| {
            Error::of(Kind::Usage, "the store cannot be copied: the path is not UTF-8")
        })?;
        let copied = engine.store.borrow().backup(path);
        copied.map_err(|error| Error::of(Kind::Usage, format_args!("{error}")))
    }

    /// Gives room that is free in the file back to the system, and says how many bytes that were; 0 if the store is
    /// no file. What was deleted leaves such room, and so does the journal.
    ///
    /// It is done on this thread, and nothing else happens meanwhile: it takes about as long as to write what is
    /// there, and as the system needs to cut the file. What is free is used again without it, and a small file of
    /// which most was deleted is made shorter by itself when there is nothing else to do, or it is closed. A crash
    /// leaves all that was there.
    ///
    /// # Errors
    ///
    /// If the store failed, after which the executor does nothing any more.
    ///
    /// ```
    /// # use dacapo::{Ctx, Executor, Result, Retention, Workflow};
    /// # const ECHO: Workflow<String, String> = Workflow::new("echo");
    /// # let directory = std::env::temp_dir().join(format!("dacapo-compact-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory).expect("it is made");
    /// let executor = Executor::builder()
    ///     .workflow(ECHO, async |_: &Ctx, text: String| Ok::<_, dacapo::Error>(text))
    ///     .open(directory.join("runs"))?;
    /// executor.block_on(executor.start(ECHO, "one", "a".repeat(2_000_000))?)?;
    /// executor.block_on(executor.prune(Retention::new().count(0)))?;
    /// assert!(executor.compact()? > 1_000_000);
    /// # drop(executor);
    /// # std::fs::remove_dir_all(&directory).expect("it is there");
    /// # Ok::<(), dacapo::Error>(())
    /// ```
    pub fn compact(&self) -> Result<u64> {
        admit(&self.shared.engine, format_args!("the store cannot be compacted"))?;
        self.shared.engine.compact()
    }
}
