use alloc::vec::Vec;
use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::format::value;

/// A small file beside the store, of what outlives the process. It is never synced, and that it cannot be
/// written or read is as if there were none.
#[derive(Default)]
pub(super) struct Marker {
    /// A store without a path has none.
    path: Option<PathBuf>,
    /// Made by the first write.
    file: OnceCell<Option<File>>,
}

/// What stands for the key of its value.
const KEY: &[u8] = b"marker";

impl Marker {
    /// The one beside the store at `path`.
    pub(super) fn beside(path: &Path) -> Marker {
        Marker::named(path, ".replaying")
    }

    /// That of those who only look at it: what ends their process is no concern of whoever writes to it.
    pub(super) fn beside_read_only(path: &Path) -> Marker {
        Marker::named(path, ".rehearsing")
    }

    fn named(path: &Path, ending: &str) -> Marker {
        let mut name = OsString::from(path);
        name.push(ending);
        Marker { path: Some(PathBuf::from(name)), file: OnceCell::new() }
    }

    /// What was written last, by this process or the one before.
    pub(super) fn read(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let file = self.path.as_ref().and_then(|path| File::open(path).ok());
        let read = file.and_then(|mut file| file.read_to_end(&mut bytes).ok());
        read.and_then(|_| body(&bytes)).unwrap_or_default().to_vec()
    }

    /// Writes over what was there.
    pub(super) fn write(&self, body: &[u8]) {
        // To say that there is nothing needs no file.
        if body.is_empty() && self.file.get().is_none() {
            return self.remove();
        }
        let file = self.file.get_or_init(|| {
            let path = self.path.as_ref()?;
            File::options().create(true).truncate(false).write(true).open(path).ok()
        });
        let Some(mut file) = file.as_ref() else { return };
        let value = value::pack(KEY, body);
        let length = u32::try_from(value.len()).unwrap_or(0);
        let bytes = [&length.to_le_bytes(), &*value].concat();
        let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&bytes));
    }

    /// The same if this process has written anything: others may look at the store, too.
    pub(super) fn remove_own(&self) {
        if self.file.get().is_some() {
            self.remove();
        }
    }

    /// The same if it says nothing: an engine may leave for the next process what others have left.
    pub(super) fn remove_empty(&self) {
        if self.read().is_empty() {
            self.remove();
        }
    }

    /// Nothing is to outlive the process.
    fn remove(&self) {
        if let Some(path) = &self.path
            && (self.file.get().is_some() || path.exists())
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let value = rest.get(..u32::from_le_bytes(*length) as usize)?;
    value::read(KEY, value).ok()
}
