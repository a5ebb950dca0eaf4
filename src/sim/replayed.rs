//! Runs of production as tests.

use alloc::vec::Vec;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::error::{Error, Result};
use crate::executor::Builder;

/// Replays each run of an [export](crate::Executor::export) against the code of a builder, without starting any
/// body: so a run of production becomes a test, in one line.
///
/// # Errors
///
/// If the file cannot be read or is damaged; if a run is not repeated: the first one, with both sides of the
/// first difference.
///
/// ```
/// # use dacapo::{Ctx, Error, Executor, Result, Workflow};
/// # const ORDER: Workflow<u8, u8> = Workflow::new("order");
/// # let directory = std::env::temp_dir().join(format!("dacapo-replay-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).expect("it is made");
/// # let path = directory.join("order-7.jsonl");
/// fn build() -> dacapo::Builder {
///     Executor::builder().workflow(ORDER, async |ctx: &Ctx, n: u8| -> Result<u8> {
///         ctx.step("pay", async move || Ok::<_, Error>(n)).await
///     })
/// }
///
/// // In production.
/// let executor = build().in_memory();
/// executor.block_on(executor.start(ORDER, "order-7", 1)?)?;
/// executor.export(&["order-7"], &mut std::fs::File::create(&path).expect("it is made"))?;
///
/// // In a test.
/// dacapo::sim::replay(build(), &path)?;
/// # std::fs::remove_dir_all(&directory).expect("it is there");
/// # Ok::<(), Error>(())
/// ```
pub fn replay(builder: Builder, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let named = |error: Error| error.wrap(format_args!("{}", path.display()));
    let file =
        File::open(path).map_err(|why| Error::new(format_args!("{}: {why}", path.display())))?;
    let executor = builder.in_memory();
    let ids: Vec<_> = executor.import(BufReader::new(file)).map_err(named)?;
    ids.iter().try_for_each(|id| executor.verify(id)).map_err(named)
}
