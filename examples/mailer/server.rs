//! The mail server: a file of lines, each on the disk before the step that wrote it goes on. A second line with
//! the same key is the same mail, and goes to its reader once.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

pub(crate) struct Server(Mutex<File>);

impl Server {
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::options().append(true).create(true).open(path)?)))
    }

    pub(crate) fn take(
        &self,
        customer: &str,
        number: u64,
        key: &str,
        text: &str,
    ) -> io::Result<()> {
        let line = format!("{customer}\t{number}\t{key}\t{text}\n");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}
