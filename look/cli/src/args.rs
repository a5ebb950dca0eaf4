//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use dacapo::ParkReason;

use crate::time::ago;

/// Shows and manages the runs in a file of dacapo: in the process that has it open, by the socket beside it, or
/// at rest.
///
/// Codes: 0 done, 1 failed, 2 wrong usage, 3 no such run, 4 the answer is no (damage was found, runs are
/// parked, the run that was watched failed), 5 a run is not in a state for it, or needs its program, 6 the file
/// is in use and nobody answers.
#[derive(Parser, Debug)]
#[command(name = "dacapo", version)]
pub(crate) struct Args {
    /// The file; without it, the only *.redb in this folder.
    #[arg(short, long, global = true, env = "DACAPO_FILE")]
    pub(crate) file: Option<PathBuf>,

    /// The socket of the process that has the file open; without it, the one beside the file.
    #[arg(long, global = true, value_name = "PATH", conflicts_with = "file")]
    pub(crate) socket: Option<PathBuf>,

    /// One JSON object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Times in UTC, not in the zone of this machine.
    #[arg(long, global = true)]
    pub(crate) utc: bool,

    /// Nothing but ASCII.
    #[arg(long, global = true)]
    pub(crate) ascii: bool,

    /// Colours.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When there are colours.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The runs, the newest first.
    List(List),
    /// What a run did, and when.
    Show(Show),
    /// One recorded value, whole.
    Value(Value),
    /// The runs that were stopped without having ended.
    Parked(Parked),
    /// Why a run does not go on, or how it ended.
    Why {
        /// The run.
        id: String,
    },
    /// The file in numbers.
    Stats,
    /// Holds everything against its checksums.
    Check {
        /// Holds the unfinished runs against the code of the process, or of this program, instead.
        #[arg(long)]
        code: bool,
    },
    /// Follows a run until it ends, or what becomes of the newest runs.
    Watch {
        /// The run.
        id: Option<String>,
    },
    /// Asks runs to end.
    Cancel(Chosen),
    /// Parks runs that go on, without their code: what ends its process again and again, or is to wait.
    Hold(Chosen),
    /// Takes up runs that are parked.
    Resume(Chosen),
    /// Takes up runs that failed or were cancelled, from what they achieved.
    Retry(Chosen),
    /// Sends a message to a run.
    Send {
        /// The run.
        id: String,
        /// The channel, which the program has to know (Builder::channel).
        channel: String,
        /// The message; - for what is on the input.
        #[arg(value_name = "JSON")]
        message: String,
        /// With a key it arrives once.
        #[arg(long)]
        key: Option<String>,
    },
    /// Starts a run.
    Start {
        /// The name of its workflow.
        workflow: String,
        /// Its id.
        id: String,
        /// What it is started with; - for what is on the input.
        #[arg(value_name = "JSON")]
        input: String,
        /// What it is found by.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        attribute: Vec<(String, String)>,
    },
    /// The queues: what waits in them, and what goes on.
    Queues {
        #[command(subcommand)]
        act: Option<Queues>,
    },
    /// The schedules: what they start, and when.
    Schedules {
        #[command(subcommand)]
        act: Option<Schedules>,
    },
    /// Makes a copy of a run up to a place of its history; it is parked.
    Fork(Fork),
    /// Deletes runs that have ended or are parked.
    Delete(Delete),
    /// Deletes runs that ended long ago, or are too many; their room is used again, or given back by compact.
    Prune(Prune),
    /// Gives room that is free in the file back to the system; nobody who has it open commits meanwhile.
    Compact,
    /// Writes runs as lines of JSON, for another file or a test.
    Export {
        /// The runs.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// To this file, which must not exist; without it, to the output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Takes in runs that were exported; they are parked until they are resumed.
    Import {
        /// What was exported; - reads the input.
        #[arg(value_name = "FILE")]
        from: PathBuf,
    },
    /// The page for man, of the program or of a command.
    Man {
        /// The command.
        command: Option<String>,
    },
    /// Completion for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What is done to a queue.
#[derive(Subcommand, Debug)]
pub(crate) enum Queues {
    /// It admits nothing until it is resumed, over restarts too.
    Pause {
        /// The queue.
        name: String,
    },
    /// It goes on.
    Resume {
        /// The queue.
        name: String,
    },
}

/// What is done to a schedule.
#[derive(Subcommand, Debug)]
pub(crate) enum Schedules {
    /// It has no ticks until it is resumed, over restarts too.
    Pause {
        /// The schedule.
        name: String,
        /// Why.
        #[arg(long, value_name = "TEXT", default_value = "by hand")]
        why: String,
    },
    /// It goes on from now.
    Resume {
        /// The schedule.
        name: String,
    },
    /// Starts a run of it now.
    Trigger {
        /// The schedule.
        name: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct List {
    /// Only those in these states: a state, "unfinished" or "ended".
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<State>,
    /// Only those of this workflow.
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only those whose id begins so.
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Only those with this attribute.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) attribute: Vec<(String, String)>,
    /// Only those started within so long: 90s, 5m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = ago)]
    pub(crate) since: Option<u64>,
    /// Only those that ended, or changed last, longer ago: 90s, 5m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = ago)]
    pub(crate) until: Option<u64>,
    /// Only those whose input, output or error has this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Only those that were started before this run.
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
    /// So many at most.
    #[arg(short = 'n', long, value_name = "RUNS", default_value_t = 20, value_parser = some)]
    pub(crate) limit: usize,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Show {
    /// The run.
    pub(crate) id: String,
    /// With the values.
    #[arg(long)]
    pub(crate) values: bool,
    /// As it was behind this record.
    #[arg(long, value_name = "RECORD")]
    pub(crate) at: Option<u64>,
    /// Only operations that failed, or were tried again.
    #[arg(long, value_name = "WHICH")]
    pub(crate) only: Option<Only>,
    /// An earlier pass of it, from 1.
    #[arg(long)]
    pub(crate) pass: Option<u32>,
    /// Every operation by itself.
    #[arg(long, conflicts_with = "only")]
    pub(crate) all: bool,
}

/// Which operations are shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Only {
    /// Those that failed, or were tried again.
    Failed,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Value {
    /// The run.
    pub(crate) id: String,
    /// An earlier pass of it, from 1.
    #[arg(long)]
    pub(crate) pass: Option<u32>,
    /// The number of an operation, "input", "output", or @ and a record.
    #[arg(value_name = "NUMBER")]
    pub(crate) which: String,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Parked {
    /// One of them, with all that is known.
    pub(crate) id: Option<String>,
    /// Prints nothing: the code is 4 if there are some.
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Some runs.
#[derive(clap::Args, Debug)]
#[group(id = "chosen", required = true, multiple = true, args = [
    "ids", "all", "state", "workflow", "prefix", "attribute", "since", "until", "grep", "reason",
])]
pub(crate) struct Chosen {
    /// These runs.
    #[arg(value_name = "ID", conflicts_with_all = FILTERS)]
    pub(crate) ids: Vec<String>,
    /// All that are in a state for it.
    #[arg(long)]
    pub(crate) all: bool,
    /// Those in these states.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<State>,
    /// Those of this workflow.
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Those whose id begins so.
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// Those with this attribute.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) attribute: Vec<(String, String)>,
    /// Those started within so long: 90s, 5m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = ago)]
    pub(crate) since: Option<u64>,
    /// Those that ended, or changed last, longer ago: 90s, 5m, 2h, 3d.
    #[arg(long, value_name = "TIME", value_parser = ago)]
    pub(crate) until: Option<u64>,
    /// Those whose input, output or error has this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Those that are parked for this: diverged, panicked, on request.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) sure: Sure,
}

/// What there is beside ids.
const FILTERS: [&str; 9] =
    ["all", "state", "workflow", "prefix", "attribute", "since", "until", "grep", "reason"];

#[derive(clap::Args, Debug)]
pub(crate) struct Delete {
    /// With all that they have started, as far as it has ended.
    #[arg(long)]
    pub(crate) children: bool,
    #[command(flatten)]
    pub(crate) chosen: Chosen,
}

/// Where a history is cut: by one of these.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Cut {
    /// Keeps the records before this one; 1 is the same input again.
    #[arg(long, value_name = "RECORD")]
    pub(crate) at: Option<u64>,
    /// Keeps what comes before the outcome of this operation.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) before: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Fork {
    /// The run.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) cut: Cut,
    /// The id of the copy.
    #[arg(long = "as", value_name = "ID")]
    pub(crate) copy: Option<String>,
    /// It goes on at once.
    #[arg(long)]
    pub(crate) run: bool,
    /// Only says what it would be.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(clap::Args, Debug)]
#[group(id = "rule", required = true, multiple = true, args = ["older_than", "keep"])]
pub(crate) struct Prune {
    /// Those that ended longer ago: 90s, 5m, 2h, 30d.
    #[arg(long, value_name = "TIME", value_parser = ago)]
    pub(crate) older_than: Option<u64>,
    /// All but so many, which were started last; with both, those of either.
    #[arg(long, value_name = "RUNS")]
    pub(crate) keep: Option<usize>,
    /// Only those of this workflow.
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only those that ended so: completed, failed, cancelled.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub(crate) state: Vec<State>,
    #[command(flatten)]
    pub(crate) sure: Sure,
}

/// Whether it is done.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Sure {
    /// Does it without a question.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Only says what would be done.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// Where a run may stand.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Running,
    Parked,
    Queued,
    Delayed,
    Completed,
    Failed,
    Cancelled,
    Continued,
    Unfinished,
    Ended,
}

/// One of the reasons for which runs are parked, as `dacapo parked` has them.
fn reason(text: &str) -> Result<String, String> {
    let names = ParkReason::ALL.map(|reason| reason.to_string());
    match names.iter().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => Err(format!("it is none of {}", names.join(", "))),
    }
}

/// Of none there is nothing to see.
fn some(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| "it is no number")?;
    if number > 0 { Ok(number) } else { Err("name at least 1".into()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has no \"=\"")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
