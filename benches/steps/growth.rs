//! Long runs, many sleepers, cold opens.

use crate::Options;
use crate::report::Report;

pub fn measure(_options: &Options, _report: &mut Report) {}
