//! What there is to see of the runs of dacapo, as plain structs that serialize.
//!
//! A [`Source`] reads them from an executor, also of a file at rest whose workflows and types this program
//! does not have. Whoever shows runs to people draws these structs, and decides nothing.
//!
//! ```
//! use dacapo::{Ctx, Error, Executor, Workflow, store::Filter};
//! use dacapo_inspect::Source;
//!
//! const GREET: Workflow<String, usize> = Workflow::new("greet");
//! let greet = async |_: &Ctx, name: String| Ok::<_, Error>(name.len());
//! let executor = Executor::builder().workflow(GREET, greet).in_memory();
//! executor.block_on(executor.start(GREET, "greet-1", "ada".into())?)?;
//!
//! let source = Source::new(&executor);
//! let row = source.rows(&Filter::new())?.remove(0);
//! let json = serde_json::to_string(&row).expect("it is JSON");
//! assert!(json.starts_with(r#"{"kind":"run","id":"greet-1","key":0,"workflow":"greet""#));
//! # Ok::<(), Error>(())
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod time;
mod json;
mod reach;
mod rehearsed;
mod value;
mod failure;
mod counted;
mod row;
mod operation;
mod fold;
mod site;
mod run;
mod parked;
mod recorded;
mod check;
mod statistics;
mod line;
mod source;
mod needle;
mod listing;
mod lines;
mod verified;
mod watched;
mod read;

pub use check::{Checked, Damage};
pub use counted::Counted;
pub use failure::Failure;
pub use line::{Queue, Schedule};
pub use listing::Listing;
pub use operation::{Attempt, Operation, Outcome, Progress, Type};
pub use parked::{Divergence, Parked};
pub use reach::wait;
pub use read::Unreadable;
pub use recorded::Recorded;
pub use row::{Activity, Row};
pub use run::{Run, View, Which};
pub use site::{Numbers, Shown, Site};
pub use source::Source;
pub use statistics::{Busy, Recent, RecentCommits, Statistics, Suspect};
pub use time::Time;
pub use value::Value;
pub use verified::Verified;
pub use watched::{Looked, Watched};
