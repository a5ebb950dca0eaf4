//! A process that runs workflows, looked at and managed from another one: by a socket beside its file.
//!
//! A file of dacapo is locked while a process has it open. So that process answers: [`Control`] binds a unix
//! socket beside the file, `orders.redb.sock`, and the program `dacapo` finds it there. Whoever may write to
//! the socket may do everything; it has the mode 0600, and is gone before the file is closed.
//!
//! ```no_run
//! use dacapo::{Ctx, Error, Executor, Workflow};
//! use dacapo_control::Control;
//!
//! # const GREET: Workflow<String, usize> = Workflow::new("greet");
//! # let greet = async |_: &Ctx, name: String| Ok::<_, Error>(name.len());
//! let executor = Executor::builder().workflow(GREET, greet).open("orders.redb")?;
//! Control::beside_file().serve(&executor)?;
//! # Ok::<(), Error>(())
//! ```
//!
//! What it speaks is HTTP, and one JSON object a line:
//! `curl --unix-socket orders.redb.sock http://d/api/runs`. The addresses are in `docs/look.md`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod problem;
mod query;
mod ask;
mod http;
mod answer;
mod kept;
mod door;
mod file;
mod look;
mod follow;
mod act;
mod lines;
mod route;
mod place;
mod serve;
mod client;

pub use act::{
    Acted, Forked, Given, Imported, Taken, act_here, expect_state, fork_here, give_here,
    import_here,
};
pub use ask::{Act, Cut, Show};
pub use client::{Answer, Client, Reached, socket_beside};
pub use file::{Compacted, compact_here};
pub use lines::{Turn, Turned, turn_here};
pub use look::{find, parked_of, value_of};
pub use problem::{Code, Problem};
pub use serve::Control;

/// The version of what is spoken. Fields and addresses are only added, so a later one is another language.
pub const VERSION: u32 = 1;
