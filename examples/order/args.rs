//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

const HELP: &str = "\
Processes a file of orders, all at once. Started again after a crash, it goes on where it was.

  --orders FILE      the orders, as JSON (default: the 240 of examples/orders.json)
  --db FILE          where runs are remembered (default: orders.redb)
  --ledger FILE      gets a line `order-id<TAB>step<TAB>key` for each side effect
                     (default: orders.ledger)
  --results FILE     gets a line for each order at the end
  --cooling-off MS   how long to wait before money is taken (default: 500)
  --crash-after N    abort right after the N-th line in the ledger of this process

Ctrl-C or SIGTERM ends it in order: what is under way has 10 seconds, and is recorded.

The last line of the output is for scripts: replayed steps are those whose outcomes were in the
store when this process began, of orders under way; executed ones ran in this process.";

pub(crate) struct Args {
    /// By default those that come with the example.
    pub(crate) orders: Option<PathBuf>,
    pub(crate) db: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) results: Option<PathBuf>,
    pub(crate) cooling_off: Duration,
    pub(crate) crash_after: Option<u64>,
}

/// What was asked for, unless it was help.
pub(crate) fn read() -> Result<Option<Args>, String> {
    parse().map_err(|why| format!("{why}; see --help"))
}

fn parse() -> Result<Option<Args>, lexopt::Error> {
    let mut args = Args {
        orders: None,
        db: "orders.redb".into(),
        ledger: "orders.ledger".into(),
        results: None,
        cooling_off: Duration::from_millis(500),
        crash_after: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("orders") => args.orders = Some(parser.value()?.into()),
            Long("db") => args.db = parser.value()?.into(),
            Long("ledger") => args.ledger = parser.value()?.into(),
            Long("results") => args.results = Some(parser.value()?.into()),
            Long("cooling-off") => {
                args.cooling_off = Duration::from_millis(parser.value()?.parse()?)
            }
            Long("crash-after") => match parser.value()?.parse()? {
                0 => return Err("--crash-after counts lines from 1".into()),
                lines => args.crash_after = Some(lines),
            },
            Short('h') | Long("help") => {
                println!("{HELP}");
                return Ok(None);
            }
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(Some(args))
}
