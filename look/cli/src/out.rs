//! Where the output goes, and how it looks.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use terminal_size::{Width, terminal_size};

use crate::args::{Args, Color};
use crate::text::{json_safe, safe};
use crate::time::Zone;

/// Where the output goes, and how it looks.
pub(crate) struct Out {
    stream: AutoStream<io::StdoutLock<'static>>,
    buffer: Vec<u8>,
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
        self.stream.write_all(&self.buffer)?;
        self.buffer.clear();
        self.stream.flush()
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
