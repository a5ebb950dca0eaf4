//! The bank: a file of lines, each on the disk before the step that wrote it goes on. A second line with
//! the same key is the same order of payment: it counts once.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::{thread::sleep, time::Duration};

use dacapo::{Attempt, Ctx, Retry, Step};

pub(crate) struct Bank(Mutex<File>);

impl Bank {
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::options().append(true).create(true).open(path)?)))
    }

    pub(crate) fn step(self: &Arc<Self>, ctx: &Ctx, what: &'static str) -> Step<()> {
        let bank = self.clone();
        let body = move |attempt: &Attempt| bank.carry_out(what, attempt);
        let patient = Retry::exponential(Duration::from_millis(100)); // A crash is an attempt, too.
        ctx.step_blocking(what, body).retry(patient)
    }

    fn carry_out(&self, what: &str, attempt: &Attempt) -> io::Result<()> {
        sleep(Duration::from_millis(5)); // Banks are slow.
        let line = format!("{}\t{what}\t{}\n", attempt.run_id(), attempt.key());
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }
}
