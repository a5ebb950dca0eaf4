//! The other end: what a program asks a process.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dacapo_inspect::{
    Checked, Counted, Damage, Listing, Parked, Queue, Recorded, Row, Run, Schedule, Statistics,
    Value, Verified,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::VERSION;
use crate::act::{Acted, Forked, Given, Imported, Taken};
use crate::ask::{Act, Cut, Show, write_listing};
use crate::file::Compacted;
use crate::http::BODY;
use crate::lines::{Turn, Turned};
use crate::place::LONGEST;
use crate::problem::{Code, Problem};
use crate::query::Address;

/// A process that has a file open, and answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    path: PathBuf,
    process: u32,
    program: String,
    file: Option<String>,
}

/// A process that says nothing for so long does not answer.
const SILENCE: Duration = Duration::from_secs(60);

/// What is behind a socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reached {
    /// A process that answers.
    Live(Client),
    /// None: there is no socket, or whoever bound it has ended.
    Nobody,
}

/// The socket that stands beside a file.
#[must_use]
pub fn socket_beside(file: &Path) -> PathBuf {
    beside(file)
}

pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".sock");
    name.into()
}

/// The first line of each answer.
#[derive(Deserialize)]
struct Head {
    process: u32,
    program: String,
    file: Option<String>,
}

/// Of which kind a line is.
#[derive(Deserialize)]
struct Line {
    kind: String,
}

/// An answer that is being read, line by line.
#[derive(Debug)]
pub struct Answer {
    from: BufReader<UnixStream>,
    is_over: bool,
}

impl Client {
    /// Looks who is behind a socket.
    ///
    /// # Errors
    ///
    /// If it may not be opened, if whoever is there does not answer, or speaks another version.
    pub fn reach(path: &Path) -> Result<Reached, Problem> {
        if path.as_os_str().len() > LONGEST {
            return Ok(Reached::Nobody);
        }
        match UnixStream::connect(path) {
            Ok(stream) => {
                let head = get(stream, &Address::of(&["api"]), &[]).and_then(Answer::head)?.0;
                let Head { process, program, file, .. } = head;
                Ok(Reached::Live(Self { path: path.to_owned(), process, program, file }))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Ok(Reached::Nobody),
                io::ErrorKind::PermissionDenied => Err(forbidden(path)),
                _ => Err(lost(&error)),
            },
        }
    }

    /// The number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process
    }

    /// The name of its program.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The file that it has open.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    fn ask(&self, address: &Address) -> Result<Answer, Problem> {
        let stream = UnixStream::connect(&self.path).map_err(|error| lost(&error))?;
        Ok(get(stream, address, &[])?.head()?.1)
    }

    fn post(&self, address: &Address, body: &[u8]) -> Result<Answer, Problem> {
        if body.len() > BODY {
            let message = "it is larger than 1 MiB, and nothing was changed: stop the process first, and do it \
                           on the file at rest";
            return Err(Problem::new(Code::Usage, message));
        }
        let stream = UnixStream::connect(&self.path).map_err(|error| lost(&error))?;
        let stream = send(stream, "POST", address, body)?;
        Ok(Answer::new(stream).head()?.1)
    }

    /// The rows of a list, at most so many.
    ///
    /// # Errors
    ///
    /// What the process says, or that it has gone. So it is with each of these.
    pub fn list(&self, listing: &Listing, most: usize) -> Result<Vec<Row>, Problem> {
        let address = write_listing(listing, Address::of(&["api", "runs"]));
        let lines = self.ask(&address.with("n", &most.to_string()))?.all()?;
        lines.iter().map(|line| Row::read(line).map_err(unread)).collect()
    }

    /// The runs of a list, counted.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn count(&self, listing: &Listing) -> Result<Vec<Counted>, Problem> {
        let address = write_listing(listing, Address::of(&["api", "counted"]));
        self.ask(&address)?.objects()
    }

    /// The run with this id, counted; with what it has started if `children` is set.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn family(&self, id: &str, children: bool) -> Result<Vec<Counted>, Problem> {
        let address = Address::of(&["api", "counted", id]);
        self.ask(&address.with_some("children", children.then_some("1")))?.objects()
    }

    /// A run with what it did.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn run(&self, show: &Show) -> Result<Run, Problem> {
        let lines = self.ask(&show.address())?.all()?;
        let (first, rest) = lines.split_first().ok_or_else(|| unread("it has no line"))?;
        Run::read(first, rest.iter().map(String::as_str)).map_err(unread)
    }

    /// A recorded value.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn value(&self, id: &str, pass: Option<u32>, which: Recorded) -> Result<Value, Problem> {
        let which = which.to_string();
        let pass = pass.map(|pass| pass.to_string());
        let address = Address::of(&["api", "runs", id, "values", &which]);
        self.ask(&address.with_some("pass", pass.as_deref()))?.object()
    }

    /// The runs that are parked, or this one if it is.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn parked(&self, id: Option<&str>) -> Result<Vec<Parked>, Problem> {
        self.ask(&Address::of(&["api", "parked"]).with_some("id", id))?.objects()
    }

    /// The store in numbers.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn statistics(&self) -> Result<Statistics, Problem> {
        self.ask(&Address::of(&["api", "statistics"]))?.object()
    }

    /// All records held against their checksums, and what of them is damaged.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn check(&self) -> Result<(Checked, Vec<Damage>), Problem> {
        self.last_of(&Address::of(&["api", "check"]))
    }

    /// All unfinished runs held against the code of the process, and those that it would park.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn verify(&self) -> Result<(Verified, Vec<Parked>), Problem> {
        self.last_of(&Address::of(&["api", "verify"]))
    }

    /// What comes last, and what is told before.
    fn last_of<L: DeserializeOwned, T: DeserializeOwned>(
        &self,
        address: &Address,
    ) -> Result<(L, Vec<T>), Problem> {
        let lines = self.ask(address)?.all()?;
        let (last, told) = lines.split_last().ok_or_else(|| unread("it has no line"))?;
        let told = told.iter().map(|line| read(line)).collect::<Result<_, _>>()?;
        Ok((read(last)?, told))
    }

    /// Runs as lines of JSON, as [`Executor::export`](dacapo::Executor::export) writes them.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn export(&self, ids: &[String]) -> Result<Vec<u8>, Problem> {
        let address = Address::of(&["api", "export"]);
        let address = ids.iter().fold(address, |address, id| address.with("id", id));
        let stream = UnixStream::connect(&self.path).map_err(|error| lost(&error))?;
        let mut answer = get(stream, &address, &[])?;
        if answer.status()? != 200 {
            answer.first()?;
            return Err(answer.all().err().unwrap_or_else(gone));
        }
        let mut lines = Vec::new();
        answer.from.read_to_end(&mut lines).map_err(|error| lost(&error))?;
        let last = lines.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match serde_json::from_slice::<Line>(last) {
            Ok(Line { kind }) if kind == "end" => Ok(lines),
            Ok(_) | Err(_) => Err(gone()),
        }
    }

    /// Takes in what was exported, and gives the ids.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list); and if it is larger than 1 MiB.
    pub fn import(&self, lines: &[u8]) -> Result<Vec<Imported>, Problem> {
        self.post(&Address::of(&["api", "import"]), lines)?.objects()
    }

    /// Gives room that is free in the file back to the system.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn compact(&self) -> Result<Compacted, Problem> {
        self.post(&Address::of(&["api", "compact"]), &[])?.object()
    }

    /// Does something to runs that were counted, as far as they are as they were; `tell` is told each.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list). What is refused for a run is told of it.
    pub fn act(
        &self,
        act: Act,
        runs: &[Counted],
        mut tell: impl FnMut(Acted),
    ) -> Result<(), Problem> {
        // Far less than a body may have.
        for runs in runs.chunks(1_000) {
            let mut body = Vec::new();
            for run in runs {
                serde_json::to_writer(&mut body, run).map_err(unread)?;
                body.push(b'\n');
            }
            let answer = self.post(&Address::of(&["api", act.word()]), &body)?;
            answer.objects()?.into_iter().for_each(&mut tell);
        }
        Ok(())
    }

    /// Sends a message, or starts a run.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list); and if it is none of its type.
    pub fn give(&self, given: &Given, json: &str) -> Result<Taken, Problem> {
        let address = match given {
            Given::Message { to, channel, key } => Address::of(&["api", "runs", to, "send"])
                .with("channel", channel)
                .with_some("key", key.as_deref()),
            Given::Input { workflow, id, attributes } => {
                let address = Address::of(&["api", "start"]);
                let address = address.with("workflow", workflow).with("id", id);
                attributes.iter().fold(address, |address, (name, value)| {
                    address.with("attribute", &format!("{name}={value}"))
                })
            }
        };
        self.post(&address, json.as_bytes())?.object()
    }

    /// All queues.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn queues(&self) -> Result<Vec<Queue>, Problem> {
        self.ask(&Address::of(&["api", "queues"]))?.objects()
    }

    /// All schedules.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn schedules(&self) -> Result<Vec<Schedule>, Problem> {
        self.ask(&Address::of(&["api", "schedules"]))?.objects()
    }

    /// Does something to a queue or a schedule.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list); and if there is none of this name.
    pub fn turn(&self, turn: &Turn) -> Result<Turned, Problem> {
        self.post(&turn.address(), &[])?.object()
    }

    /// Makes a copy of a run, or says what it would be.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn fork(
        &self,
        id: &str,
        cut: &Cut,
        copy: Option<&str>,
        (runs, dry_run): (bool, bool),
    ) -> Result<Forked, Problem> {
        let set = |is_set: bool| is_set.then_some("1");
        let address = cut.write(Address::of(&["api", "runs", id, "fork"]));
        let address = address.with_some("as", copy).with_some("run", set(runs));
        self.post(&address.with_some("dry_run", set(dry_run)), &[])?.object()
    }

    /// Follows a run until it does not go on, or what becomes of the newest ones for ever: each line is told.
    ///
    /// # Errors
    ///
    /// See [`list`](Self::list).
    pub fn watch(&self, id: Option<&str>) -> Result<Answer, Problem> {
        self.ask(&match id {
            Some(id) => Address::of(&["api", "runs", id, "watch"]),
            None => Address::of(&["api", "watch"]),
        })
    }
}

impl Answer {
    fn new(stream: UnixStream) -> Self {
        Self { from: BufReader::new(stream), is_over: false }
    }

    /// The number of the status; what follows is the body.
    fn status(&mut self) -> Result<u16, Problem> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.from.read_until(b'\n', &mut head).map_err(|error| lost(&error))?;
            if read == 0 || head.len() > 16 << 10 {
                return Err(gone());
            }
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&head).map_err(|why| unread(format_args!("no HTTP: {why}")))?;
        Ok(response.code.unwrap_or_default())
    }

    /// Who answers; what follows is the answer.
    fn head(mut self) -> Result<(Head, Self), Problem> {
        self.status()?;
        self.first().map(|head| (head, self))
    }

    fn first(&mut self) -> Result<Head, Problem> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let mut line = String::new();
        self.from.read_line(&mut line).map_err(|error| lost(&error))?;
        let Version { v } = serde_json::from_str(&line).map_err(unread)?;
        if v != VERSION {
            let message = format_args!(
                "the process speaks version {v}, and this program version {VERSION}: take the program of the \
                 same release"
            );
            return Err(Problem::new(Code::Version, message));
        }
        serde_json::from_str(&line).map_err(unread)
    }

    /// All lines.
    fn all(self) -> Result<Vec<String>, Problem> {
        self.collect()
    }

    fn objects<T: DeserializeOwned>(self) -> Result<Vec<T>, Problem> {
        self.map(|line| read(&line?)).collect()
    }

    fn object<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let first = self.all()?.into_iter().next();
        read(&first.ok_or_else(|| unread("it has no line"))?)
    }
}

impl Iterator for Answer {
    type Item = Result<String, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let mut line = String::new();
            match self.from.read_line(&mut line) {
                Ok(read) if read > 0 => {}
                Ok(_) => {
                    self.is_over = true;
                    return Some(Err(gone()));
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(lost(&error)));
                }
            }
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            match serde_json::from_str::<Line>(line) {
                Ok(Line { kind }) if kind == "end" => self.is_over = true,
                Ok(Line { kind }) if kind == "error" => {
                    self.is_over = true;
                    return Some(read(line).and_then(Err));
                }
                Ok(_) => return Some(Ok(line.to_owned())),
                Err(why) => {
                    self.is_over = true;
                    return Some(Err(unread(why)));
                }
            }
        }
        None
    }
}

fn get(stream: UnixStream, address: &Address, body: &[u8]) -> Result<Answer, Problem> {
    send(stream, "GET", address, body).map(Answer::new)
}

fn send(
    mut stream: UnixStream,
    method: &str,
    address: &Address,
    body: &[u8],
) -> Result<UnixStream, Problem> {
    // Whoever is there says something every few seconds.
    let _ = stream.set_read_timeout(Some(SILENCE));
    let head = format!(
        "{method} {} HTTP/1.1\r\nHost: dacapo\r\nContent-Length: {}\r\n\r\n",
        address.text(),
        body.len()
    );
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    sent.map_err(|error| lost(&error))?;
    Ok(stream)
}

fn read<T: DeserializeOwned>(line: &str) -> Result<T, Problem> {
    serde_json::from_str(line).map_err(unread)
}

fn unread(why: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Version, format_args!("the answer of the process cannot be read: {why}"))
}

fn lost(error: &io::Error) -> Problem {
    Problem::new(Code::InUse, format_args!("the process does not answer: {error}"))
}

fn gone() -> Problem {
    Problem::new(Code::InUse, "the process ended before it had answered: ask again")
}

fn forbidden(path: &Path) -> Problem {
    let whose = match fs::symlink_metadata(path) {
        Ok(data) => {
            format!(
                "it belongs to user {}, mode {:o}: call dacapo as that user",
                data.uid(),
                data.permissions().mode() & 0o777
            )
        }
        Err(why) => why.to_string(),
    };
    Problem::new(
        Code::InUse,
        format_args!("the socket {} may not be opened: {whose}", path.display()),
    )
}
