//! Where side effects can be counted from outside: a file of lines, each on the disk before the
//! step that wrote it goes on.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::{process, thread};

use dacapo::BoxError;
use futures::channel::oneshot;

/// The sending end of a thread that writes: disks would block the executor's own.
pub(crate) struct Ledger {
    lines: mpsc::Sender<Line>,
}

struct Line {
    text: String,
    written: oneshot::Sender<()>,
}

impl Ledger {
    /// Opens the file at `path`, or creates it. The process aborts after `crash_after` lines.
    pub(crate) fn open(path: &Path, crash_after: Option<u64>) -> Result<Self, BoxError> {
        let why = |why: io::Error| format!("the ledger {}: {why}", path.display());
        let file = open(path).map_err(why)?;
        let (sender, lines) = mpsc::channel();
        let writer = Writer { file, path: path.to_owned(), left: crash_after };
        thread::spawn(move || writer.run(&lines));
        Ok(Self { lines: sender })
    }

    /// Returns when the line is on the disk.
    pub(crate) async fn append(&self, text: String) {
        let (written, on_disk) = oneshot::channel();
        self.lines.send(Line { text, written }).expect("the writer lives as long as the ledger");
        on_disk.await.expect("the writer answers, or the process ends");
    }
}

/// Opens for appending, behind the last whole line: a kill can cut a line short.
fn open(path: &Path) -> io::Result<File> {
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
    }
    file.rewind()?;
    Ok(file)
}

struct Writer {
    file: File,
    path: PathBuf,
    /// Lines until the crash.
    left: Option<u64>,
}

impl Writer {
    fn run(mut self, lines: &mpsc::Receiver<Line>) {
        while let Ok(first) = lines.recv() {
            // All that came meanwhile goes to the disk together.
            let batch: Vec<_> = std::iter::once(first).chain(lines.try_iter()).collect();
            if let Err(why) = batch
                .iter()
                .try_for_each(|line| self.write(&line.text))
                .and_then(|()| self.file.sync_data())
            {
                eprintln!("order: the ledger {}: {why}", self.path.display());
                process::exit(1); // Started again, it goes on here.
            }
            for line in batch {
                let _ = line.written.send(()); // Nobody waits if its run has ended.
            }
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                self.file.sync_data()?;
                process::abort();
            }
        }
        Ok(())
    }
}
