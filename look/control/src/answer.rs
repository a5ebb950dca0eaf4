//! What is answered: one JSON object a line, the first of which says who answers, and the last that it is all.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::VERSION;
use crate::problem::Problem;

/// The first line of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "kind", rename = "answer")]
pub(crate) struct Head {
    pub(crate) v: u32,
    pub(crate) process: u32,
    /// The program.
    pub(crate) program: String,
    /// The file, if it is one.
    pub(crate) file: Option<String>,
}

/// The last line.
#[derive(Serialize)]
#[serde(tag = "kind", rename = "end")]
struct End {}

/// An answer that is being written: its lines go out as they come.
pub(crate) struct Answer<W: Write> {
    to: BufWriter<W>,
    head: Head,
    has_begun: bool,
}

/// Why an answer was not written to its end.
#[derive(Debug)]
pub(crate) enum Cut {
    /// Whoever asked has gone.
    Gone,
    /// This is what it is told.
    By(Problem),
}

impl From<io::Error> for Cut {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<Problem> for Cut {
    fn from(problem: Problem) -> Self {
        Self::By(problem)
    }
}

impl From<dacapo::Error> for Cut {
    fn from(error: dacapo::Error) -> Self {
        Self::By(error.into())
    }
}

impl Head {
    pub(crate) fn of_this_process(file: Option<String>) -> Self {
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_name());
        let program = program.map(|name| name.to_string_lossy().into_owned());
        let (v, process) = (VERSION, std::process::id());
        Self { v, process, program: program.unwrap_or_default(), file }
    }
}

impl<W: Write> Answer<W> {
    pub(crate) fn new(to: W, head: Head) -> Self {
        Self { to: BufWriter::new(to), head, has_begun: false }
    }

    fn begin(&mut self, status: &str) -> io::Result<()> {
        self.has_begun = true;
        write!(
            self.to,
            "HTTP/1.1 {status}\r\nContent-Type: application/x-ndjson\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
    }

    /// A line.
    pub(crate) fn line(&mut self, object: &impl Serialize) -> io::Result<()> {
        if !self.has_begun {
            self.begin("200 OK")?;
            let head = serde_json::to_string(&self.head).map_err(io::Error::other)?;
            writeln!(self.to, "{head}")?;
        }
        let line = serde_json::to_string(object).map_err(io::Error::other)?;
        writeln!(self.to, "{line}")
    }

    /// Bytes that say themselves what they are, and where they end.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.has_begun {
            self.begin("200 OK")?;
        }
        self.to.write_all(bytes)
    }

    /// Sends what there is. Without anything new a line that is empty, to find out whether somebody is there.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.to.buffer().is_empty() {
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }

    /// The last line.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.line(&End {})?;
        self.to.flush()
    }

    /// What is wrong, as the last line.
    pub(crate) fn refuse(&mut self, problem: &Problem) -> io::Result<()> {
        if !self.has_begun {
            self.begin(problem.code.status())?;
            let head = serde_json::to_string(&self.head).map_err(io::Error::other)?;
            writeln!(self.to, "{head}")?;
        }
        self.line(problem)?;
        self.to.flush()
    }
}
