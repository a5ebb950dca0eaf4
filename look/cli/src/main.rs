//! The program `dacapo`, which knows no workflows and no types.

use std::process::ExitCode;

fn main() -> ExitCode {
    dacapo_cli::run_without_workflows()
}
