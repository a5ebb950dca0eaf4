//! A line of source code.

use core::fmt;
use core::panic::Location;

/// A line of the source of this program: where an operation of a run is made.
///
/// It is known of code that was run to look at it, as by [`Executor::verify_all`](crate::Executor::verify_all) and
/// [`Executor::sources`](crate::Executor::sources), and recorded nowhere. A function of yours with `#[track_caller]`
/// passes on the line of its caller, if it is not `async`.
///
/// ```
/// use dacapo::{Ctx, Error, Executor, OperationNumber, Workflow};
///
/// const PAY: Workflow<(), ()> = Workflow::new("pay");
///
/// let line = line!() + 2;
/// let pay = async |ctx: &Ctx, ()| {
///     ctx.step("charge", async || Ok::<_, Error>(())).await
/// };
/// let executor = Executor::builder().workflow(PAY, pay).in_memory();
/// executor.block_on(executor.start(PAY, "order-7", ())?)?;
/// let sources = executor.sources("order-7")?;
/// let charge = sources.of(OperationNumber { task: 0, place: 1 }).expect("it was made");
/// assert_eq!(charge.line(), line);
/// assert_eq!(charge.to_string(), format!("{}:{line}", charge.file()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceLine {
    file: &'static str,
    line: u32,
}

impl SourceLine {
    /// The file, as the compiler was given it: of a crate of a workspace it begins at the root of that.
    ///
    /// See the [example](Self) of the type.
    #[must_use]
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The line, counted from 1.
    ///
    /// See the [example](Self) of the type.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl From<&'static Location<'static>> for SourceLine {
    fn from(place: &'static Location<'static>) -> Self {
        Self { file: place.file(), line: place.line() }
    }
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
