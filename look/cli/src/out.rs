//! Where the output goes, and how it looks.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice, StripStream};
use serde::Serialize;
use terminal_size::{Height, Width, terminal_size};

use crate::args::{Args, Color};
use crate::pager::Pager;
use crate::text::{json_safe, safe};
use crate::time::Zone;

/// Where the output goes, and how it looks.
pub(crate) struct Out {
    stream: AutoStream<io::StdoutLock<'static>>,
    buffer: Vec<u8>,
    pager: Option<Pager>,
    /// So many lines fit onto the terminal. `None`: nothing is paged.
    lines: Option<usize>,
    pub(crate) is_json: bool,
    pub(crate) is_ascii: bool,
    pub(crate) columns: usize,
    pub(crate) zone: Zone,
}

/// The colour of something that matters; never its only sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paint {
    Good,
    Bad,
    Busy,
    Faint,
    Bold,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Busy => "33",
            Self::Faint => "2",
            Self::Bold => "1",
        }
    }

    /// `text` in this colour. Where there are none, the stream takes it out.
    pub(crate) fn on(self, text: &str) -> String {
        format!("\x1b[{}m{text}\x1b[0m", self.code())
    }
}

impl Out {
    pub(crate) fn new(args: &Args) -> Self {
        let choice = match args.color {
            Color::Auto => AutoStream::choice(&io::stdout()),
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let of_terminal = || terminal_size().map(|(Width(columns), _)| usize::from(columns));
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            stream: AutoStream::new(io::stdout().lock(), choice),
            buffer: Vec::new(),
            pager: None,
            lines: terminal_size()
                .filter(|_| io::stdout().is_terminal() && !args.json)
                .map(|(_, Height(lines))| usize::from(lines)),
            is_json: args.json,
            is_ascii: args.ascii,
            columns: said.or_else(of_terminal).unwrap_or(80).clamp(40, 400),
            zone: Zone::new(args.utc),
        }
    }

    /// A line. What of it came from a file is [`safe`] already.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        let line = line.trim_end();
        match self.is_ascii {
            true => self.buffer.extend(line.chars().map(ascii).collect::<String>().as_bytes()),
            false => self.buffer.extend(line.as_bytes()),
        }
        self.buffer.push(b'\n');
        if self.buffer.len() > 1 << 16 { self.flush() } else { Ok(()) }
    }

    /// A JSON object, on a line.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(object).map_err(io::Error::other)?;
        self.buffer.extend(json_safe(&json).as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() > 1 << 16 { self.flush() } else { Ok(()) }
    }

    /// A JSON object that came from elsewhere, on a line.
    pub(crate) fn text_of_json(&mut self, json: &str) -> io::Result<()> {
        self.buffer.extend(json_safe(json).as_bytes());
        self.buffer.push(b'\n');
        Ok(())
    }

    /// Something long that came from a file, on a line.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.line(&safe(text))
    }

    /// Bytes of our own.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend(bytes);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let lines = self.buffer.iter().filter(|byte| **byte == b'\n').count();
        if self.lines.is_some_and(|most| lines >= most) {
            self.pager = self.pager.take().or_else(Pager::start);
        }
        let buffer = std::mem::take(&mut self.buffer);
        let Some(pager) = &mut self.pager else {
            self.stream.write_all(&buffer)?;
            return self.stream.flush();
        };
        match self.stream.current_choice() {
            ColorChoice::Never => StripStream::new(pager as &mut dyn Write).write_all(&buffer),
            _ => pager.write_all(&buffer),
        }
    }
}

/// What stands for one of our signs where there is nothing but ASCII.
fn ascii(char: char) -> char {
    match char {
        '▶' | '▷' => '>',
        '↻' => '@',
        '⧖' => '~',
        '‖' => '=',
        '✓' => '+',
        '✗' => 'x',
        '…' => '.',
        '·' => '-',
        '×' => 'x',
        '≥' => '>',
        '≤' => '<',
        '╎' => '|',
        '•' => 'o',
        '░' => '-',
        'µ' => 'u',
        '▁'..='▏' => '#',
        char if char.is_ascii() => char,
        _ => '?',
    }
}
