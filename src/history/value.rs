//! A recorded value that is not read yet.

use alloc::string::{String, ToString};
use core::fmt;

use dacapo_values::{Detached, View};

use crate::values::Values;

/// A recorded value: it is shown by its recorded shape, without its type, when that is asked for.
///
/// ```
/// # use dacapo::{Ctx, Error, Executor, HistoryEvent, Workflow};
/// # const GREET: Workflow<String, usize> = Workflow::new("greet");
/// # let greet = async |_: &Ctx, name: String| Ok::<_, Error>(name.len());
/// let executor = Executor::builder().workflow(GREET, greet).in_memory();
/// executor.block_on(executor.start(GREET, "greet-1", "ada".into())?)?;
/// let first = executor.history("greet-1", 0..1)?.entries.remove(0);
/// let HistoryEvent::Started { input, .. } = first.event else { unreachable!("it is the first") };
/// let (view, is_whole) = input.view(1_000).expect("it is not damaged");
/// assert_eq!((view.to_string().as_str(), is_whole), (r#""ada""#, true));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct HistoryValue {
    size: usize,
    /// Or why its shape cannot be read.
    detached: Result<Detached, String>,
}

impl HistoryValue {
    pub(crate) fn new(bytes: &[u8], values: &Values) -> Self {
        let detached = values.detach(bytes).map_err(|why| why.to_string());
        Self { size: bytes.len(), detached }
    }

    /// How many bytes it takes; 0 if there is none, as of a sleep.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// What tells it from others, if it can be read.
    #[cfg(feature = "view")]
    pub(crate) fn detached(&self) -> Option<&Detached> {
        self.detached.as_ref().ok().filter(|_| self.size > 0)
    }

    /// What it holds, as far as its first `limit` bytes go, and whether that is all of it.
    ///
    /// # Errors
    ///
    /// Why it cannot be read: its bytes or its shape are damaged.
    pub fn view(&self, limit: usize) -> Result<(View, bool), String> {
        if self.size == 0 {
            return Ok((View::Unit, true));
        }
        let viewed = self.detached.as_ref().map_err(String::clone)?.view_within(limit);
        viewed.map_err(|why| why.to_string())
    }
}

impl fmt::Debug for HistoryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 100;
        match self.view(SHOWN) {
            Ok((view, _)) => write!(f, "{view}"),
            Err(why) => write!(f, "unreadable: {why}"),
        }
    }
}
