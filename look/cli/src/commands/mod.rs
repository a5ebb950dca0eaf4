//! What each command does.

pub(crate) mod act;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod fork;
pub(crate) mod give;
pub(crate) mod lines;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod moved;
pub(crate) mod parked;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod value;
pub(crate) mod watch;
pub(crate) mod why;
