//! The FIFO executor beside its peers.

use crate::report::Report;

pub fn measure(_report: &mut Report) {}
