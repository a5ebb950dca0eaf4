use alloc::sync::Arc;
use core::ops::Bound;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// A file, and what is known of it between two writes: nobody else may change that.
///
/// Somebody who puts a backup in the place of the file, with a tool that writes over what is there, does not
/// know of our lock. What is written then is lost, and spoils the backup.
#[derive(Debug)]
pub(super) struct Intact {
    file: FileBackend,
    known: Arc<Known>,
}

/// What is known of a file.
#[derive(Debug)]
pub(super) struct Known {
    /// How long it is.
    length: AtomicU64,
    /// Its beginning, which redb changes with each commit.
    head: Mutex<[u8; HEAD]>,
    /// Whether it was found to be another by now, and is left as it is.
    is_left: AtomicBool,
}

/// The bytes of redb's header.
const HEAD: usize = 320;

impl Intact {
    /// The same file as `file`.
    pub(super) fn new(file: FileBackend) -> io::Result<(Intact, Arc<Known>)> {
        let length = file.len()?;
        let mut head = [0; HEAD];
        if length >= HEAD as u64 {
            file.read(0, &mut head)?;
        }
        let (length, head) = (AtomicU64::new(length), Mutex::new(head));
        let known = Arc::new(Known { length, head, is_left: AtomicBool::new(false) });
        Ok((Intact { file, known: known.clone() }, known))
    }

    fn check(&self) -> io::Result<()> {
        match self.known.is_left.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the file is another one by now")),
            false => Ok(()),
        }
    }
}

impl Known {
    /// What somebody else has done to the file, if it is not as it was left; nothing is written to it any more
    /// then. It asks for no times of the file: see [`OpenName`](super::origin::OpenName).
    pub(super) fn check(&self, file: &File) -> Result<(), &'static str> {
        let changed = self.is_shorter(file).then_some("cut off");
        let changed = changed.or_else(|| self.has_another_head(file).then_some("written over"));
        changed.map_or(Ok(()), |how| {
            self.is_left.store(true, Ordering::Relaxed);
            Err(how)
        })
    }

    /// What cannot be looked at says nothing.
    fn is_shorter(&self, mut file: &File) -> bool {
        let known = self.length.load(Ordering::Relaxed);
        file.seek(SeekFrom::End(0)).is_ok_and(|length| length < known)
    }

    #[cfg(unix)]
    fn has_another_head(&self, file: &File) -> bool {
        use std::os::unix::fs::FileExt;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).is_ok() && head != *self.head()
    }

    /// Elsewhere to read would move the place at which others read.
    #[cfg(not(unix))]
    fn has_another_head(&self, _file: &File) -> bool {
        false
    }

    fn head(&self) -> MutexGuard<'_, [u8; HEAD]> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_written(&self, offset: u64, data: &[u8]) {
        if offset < HEAD as u64 {
            let (mut head, from) = (self.head(), offset as usize);
            let to = HEAD.min(from + data.len());
            head[from..to].copy_from_slice(&data[..to - from]);
        }
    }
}

impl StorageBackend for Intact {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(length)?;
        self.known.length.store(length, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)?;
        self.known.note_written(offset, data);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
