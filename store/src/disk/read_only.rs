use core::ops::Bound;
use std::io;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// A file that is looked at: several may do so at once, while nobody has it open to write.
#[derive(Debug)]
pub(super) struct ReadOnly(pub(super) FileBackend);

fn refuse() -> io::Error {
    io::Error::from(io::ErrorKind::ReadOnlyFilesystem)
}

impl StorageBackend for ReadOnly {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, _length: u64) -> io::Result<()> {
        Err(refuse())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(refuse())
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> io::Result<()> {
        Err(refuse())
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    /// redb wants the file for itself, to repair it. That is done in memory here, so a lock is enough
    /// that keeps writers away; and no other can be had of a file that is open to read.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
