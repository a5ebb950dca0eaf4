//! The program `dacapo`: how runs are seen from a terminal.
//!
//! It shows files at rest, deletes in them and moves runs between them, without the workflows and the types of
//! those who made them. A program of your own
//! has the same commands with one line:
//!
//! ```no_run
//! use dacapo::{Ctx, Error, Executor, Workflow};
//!
//! const GREET: Workflow<String, String> = Workflow::new("greet");
//!
//! fn main() -> std::process::ExitCode {
//!     let greet = async |_: &Ctx, name: String| Ok::<_, Error>(format!("hello {name}"));
//!     dacapo_cli::run(Executor::builder().workflow(GREET, greet))
//! }
//! ```
//!
//! Every command, what it prints and the codes it ends with are in `docs/look.md`.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod args;
mod trouble;
mod text;
mod time;
mod pager;
mod out;
mod place;
mod file;
mod axis;
mod bars;
mod timeline;
mod commands;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use dacapo::Builder;
use dacapo_control::{Act, Given};

use args::{Args, Chosen, Command};
use file::{Files, Purpose};
use out::Out;
use trouble::{Kind, Trouble};

/// Does what the command line says, with the workflows and settings of `builder`, and gives the code to end
/// with.
///
/// If no process has the file open, what has runs go on is done by this one: it opens the file, as a process that
/// runs the workflows does, until that is committed.
pub fn run(builder: Builder) -> ExitCode {
    main_of(Some(builder))
}

/// The same without workflows: what has runs go on needs the process that has the file open.
pub fn run_without_workflows() -> ExitCode {
    main_of(None)
}

fn main_of(builder: Option<Builder>) -> ExitCode {
    let matches = match Args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let is_json = args.json;
    let mut out = Out::new(&args);
    let done = carry_out(builder, args, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(trouble) if trouble.is_closed_pipe() => ExitCode::SUCCESS,
        Err(trouble) => {
            // Nobody is left who could be told that this fails.
            let _ = writeln!(io::stderr(), "{}", trouble.shown(is_json));
            ExitCode::from(trouble.code())
        }
    }
}

/// What clap says is for people, also help; but not where somebody asks for JSON.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|arg| arg == "--json") {
        let message = in_one_line(&error.to_string());
        let _ = writeln!(io::stderr(), "{}", Trouble::new(Kind::Usage, message).shown(true));
    } else if std::env::args_os().any(|arg| arg.to_string_lossy().contains(char::is_control)) {
        // It repeats what was given, and that may be from a file.
        for line in error.to_string().lines() {
            let _ = writeln!(io::stderr(), "{}", text::safe(line));
        }
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

/// What clap says in several lines, without how the command is called at all.
fn in_one_line(said: &str) -> String {
    let said = said.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    let words: Vec<_> = said.trim_start_matches("error: ").split_whitespace().collect();
    words.join(" ")
}

fn carry_out(builder: Option<Builder>, args: Args, out: &mut Out) -> Result<u8, Trouble> {
    let Args { file, socket, command, .. } = args;
    let files = Files { file, socket, builder };
    let look = |files: Files| files.place(Purpose::Look);
    let change = |files: Files| files.place(Purpose::Change);
    let go_on = |files: Files| files.place(Purpose::Run);
    // To say what would be done is to look.
    let act = |files: Files, act: Act, chosen: &Chosen, purpose: Purpose, out: &mut Out| {
        let purpose = if chosen.sure.dry_run { Purpose::Look } else { purpose };
        commands::act::act(&files.place(purpose)?, act, chosen, out)
    };
    match command {
        Command::List(list) => commands::list::list(&look(files)?, &list, out),
        Command::Show(show) => commands::show::show(&look(files)?, &show, out),
        Command::Value(value) => commands::value::value(&look(files)?, &value, out),
        Command::Parked(parked) => commands::parked::parked(&look(files)?, &parked, out),
        Command::Why { id } => commands::why::why(&look(files)?, &id, out),
        Command::Stats => commands::stats::stats(&look(files)?, out),
        Command::Check { code: true } => {
            commands::check::code(&files.place(Purpose::Rehearse)?, out)
        }
        Command::Check { code: false } => commands::check::check(files, out),
        Command::Watch { id } => commands::watch::watch(&look(files)?, id.as_deref(), out),
        Command::Cancel(chosen) => act(files, Act::Cancel, &chosen, Purpose::Run, out),
        Command::Hold(chosen) => act(files, Act::Hold, &chosen, Purpose::Change, out),
        Command::Resume(chosen) => act(files, Act::Resume, &chosen, Purpose::Run, out),
        Command::Retry(chosen) => act(files, Act::Retry, &chosen, Purpose::Run, out),
        Command::Send { id, channel, message, key } => {
            let given = Given::Message { to: id, channel, key };
            commands::give::give(&go_on(files)?, &given, message, out)
        }
        Command::Start { workflow, id, input, attribute } => {
            let given = Given::Input { workflow, id, attributes: attribute };
            commands::give::give(&go_on(files)?, &given, input, out)
        }
        Command::Queues { act: None } => commands::lines::queues(&look(files)?, out),
        Command::Schedules { act: None } => commands::lines::schedules(&look(files)?, out),
        Command::Queues { act: Some(act) } => {
            commands::lines::turn(&go_on(files)?, &act.into(), out)
        }
        Command::Schedules { act: Some(act) } => {
            commands::lines::turn(&go_on(files)?, &act.into(), out)
        }
        // To say what it would be is to look.
        Command::Fork(fork) if fork.dry_run => commands::fork::fork(&look(files)?, &fork, out),
        Command::Fork(fork) if fork.run => commands::fork::fork(&go_on(files)?, &fork, out),
        Command::Fork(fork) => commands::fork::fork(&files.place(Purpose::Copy)?, &fork, out),
        Command::Delete(delete) if delete.chosen.sure.dry_run => {
            commands::act::delete(&look(files)?, &delete, out)
        }
        Command::Prune(prune) if prune.sure.dry_run => {
            commands::act::prune(&look(files)?, &prune, out)
        }
        Command::Delete(delete) => commands::act::delete(&change(files)?, &delete, out),
        Command::Prune(prune) => commands::act::prune(&change(files)?, &prune, out),
        Command::Compact => commands::compact::compact(change(files)?, out),
        Command::Export { ids, output } => {
            commands::moved::export(&look(files)?, &ids, output.as_deref(), out)
        }
        Command::Import { from } => commands::moved::import(files, &from, out),
        Command::Man { command } => commands::man::man(command.as_deref(), out),
        Command::Completion { shell } => {
            let mut command = Args::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "dacapo", &mut script);
            out.raw(&script)?;
            Ok(0)
        }
    }
}
