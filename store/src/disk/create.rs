use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound::Unbounded;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use redb::backends::FileBackend;
use redb::{Builder, StorageBackend};

use super::error::DiskError;
use super::tables;

/// The mark that redb's files begin with.
const MARK_BYTES: usize = 9;

/// Makes a new store at a path where there is nothing.
///
/// It is written under another name beside the path and given its own when it is whole and on the
/// disk: a kill inside redb's own creation leaves a file that redb refuses later. If somebody else
/// was faster, theirs stays.
pub(super) fn create(path: &Path, semantics: u32) -> Result<(), DiskError> {
    let image = image(semantics)?;
    make(path, |file| file.write_all(&image))?;
    Ok(())
}

/// Copies a store between two of its commits. `false`: there is a file at `path`.
pub(super) fn copy(mut store: &File, path: &Path) -> io::Result<bool> {
    make(path, |file| {
        store.rewind()?;
        io::copy(&mut store, file).map(drop)
    })
}

/// Why there is no copy, and what to do. Nothing is left of it.
pub(super) fn explain_copy(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there, or name a path on another disk"
        }
        io::ErrorKind::NotFound => "create its directory first",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "name a path that this process may write to"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}

/// Makes a file that is whole when it has its name. `false`: somebody else's has it.
fn make(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<bool> {
    let draft = draft(path).ok_or(io::ErrorKind::InvalidFilename)?;
    let result = publish(&draft, path, write);
    // It may be gone: `clear` of another process can be at work if this one slept in between.
    let _ = fs::remove_file(&draft);
    result
}

fn publish(
    draft: &Path,
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<bool> {
    let mut file = File::create_new(draft)?;
    // So that `clear` of another process lets it be, however long the disk takes. Where files
    // cannot be locked its age has to do.
    let _ = file.try_lock();
    write(&mut file)?;
    file.sync_all()?;
    unlock(&file);
    drop(file);
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        // A file system without links. A rename would take the place of another process's file if
        // that came between these two lines.
        Err(_) if !path.exists() => fs::rename(draft, path)?,
        Err(error) => return Err(error),
    }
    sync_directory(path)?;
    Ok(true)
}

/// Makes a store of a file that is empty, as a bind mount makes one, or was being made one of when the
/// process ended: nothing is in it but zeros and parts of the beginning of a store, which has no mark yet.
/// Any other is left as it is, zeros alone too: a disk may have left those of a file that was whole.
pub(super) fn fill(path: &Path, data: &fs::Metadata, semantics: u32) -> Result<(), DiskError> {
    if data.len() >= MARK_BYTES as u64 {
        let mut mark = [0; MARK_BYTES];
        File::open(path)?.read_exact(&mut mark)?;
        if mark != [0; MARK_BYTES] {
            return Ok(());
        }
    }
    let mut file = File::options().read(true).write(true).open(path)?;
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(redb::Error::DatabaseAlreadyOpen.into());
    }
    let image = image(semantics)?;
    let mut bytes = Vec::new();
    (&file).take(image.len() as u64 + 1).read_to_end(&mut bytes)?;
    let is_ours = |(byte, of_image): (&u8, &u8)| [0, *of_image].contains(byte);
    let is_unmade = bytes.len() <= image.len()
        && (bytes.is_empty() || bytes.iter().any(|byte| *byte != 0))
        && bytes.iter().take(MARK_BYTES).all(|byte| *byte == 0)
        && bytes.iter().zip(&image).all(is_ours);
    if is_unmade {
        // The mark comes last: what has it is whole.
        let (mark, rest) = image.split_at(MARK_BYTES);
        file.seek(SeekFrom::Start(MARK_BYTES as u64))?;
        file.write_all(rest)?;
        file.sync_all()?;
        file.rewind()?;
        file.write_all(mark)?;
        file.sync_all()?;
    }
    unlock(&file);
    Ok(())
}

/// Lets go of a lock. Closing the file is not enough: a child process that another thread is about to
/// begin holds it as well, from its fork on until it executes its program.
fn unlock(file: &File) {
    // If there is no lock, or it cannot be let go of, closing has to do.
    let _ = file.unlock();
}

/// The new name is on the disk only when its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory(path))?.sync_all()
}

/// Elsewhere a directory cannot be opened; the system writes it by itself.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Where a file with this path lies.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the name of a draft begins with; two numbers with a hyphen between them follow.
fn draft_prefix(path: &Path) -> Option<OsString> {
    let mut name = OsString::from(".");
    name.push(path.file_name()?);
    name.push(".dacapo-draft-");
    Some(name)
}

fn draft(path: &Path) -> Option<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = draft_prefix(path)?;
    name.push(format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    Some(directory(path).join(name))
}

/// Removes what creations that were killed have left beside the path. A draft has its name and its
/// age, and holds the beginning of a new store that nobody has open: what lacks one of these may be
/// somebody's, and is let be. So is an empty file.
pub(super) fn clear(path: &Path, semantics: u32) {
    let Some(prefix) = draft_prefix(path) else { return };
    let Ok(entries) = fs::read_dir(directory(path)) else { return };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_draft_name(&entry.file_name(), &prefix) {
            // If it cannot be removed it is in nobody's way, and the next open tries again.
            let _ = remove_draft(&entry, path, semantics);
        }
    }
}

fn is_draft_name(name: &OsStr, prefix: &OsStr) -> bool {
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let numbers = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
    numbers.is_some_and(|numbers| {
        let mut numbers = numbers.split(|byte| *byte == b'-');
        let (process, number) = (numbers.next(), numbers.next());
        process.is_some_and(is_number) && number.is_some_and(is_number) && numbers.next().is_none()
    })
}

/// Removes a file that has the name of a draft, if it is one.
fn remove_draft(entry: &fs::DirEntry, path: &Path, semantics: u32) -> Result<(), DiskError> {
    let draft = &entry.path();
    if is_same_file(draft, path)? {
        // The kill came between the link and the removal: the store is safe under its own name.
        return Ok(fs::remove_file(draft)?);
    }
    if !is_old(entry) {
        return Ok(());
    }
    let file = File::options().read(true).write(true).open(draft)?;
    if file.try_lock().is_err() {
        return Ok(());
    }
    let image = image(semantics)?;
    let mut bytes = Vec::new();
    (&file).take(image.len() as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() < MARK_BYTES || !image.starts_with(&bytes) {
        return Ok(());
    }
    // What redb has open is locked in its own way. This lock stays until the file is gone.
    let backend = FileBackend::new(file)?;
    if matches!(backend.try_lock_range(Unbounded, Unbounded), Ok(true)) {
        fs::remove_file(draft)?;
    }
    backend.close()?;
    Ok(())
}

/// Whether two names, links not followed, are those of one file.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (one, other) = (fs::symlink_metadata(one)?, fs::symlink_metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Elsewhere it is not known; the file is left then, as one that was written to.
#[cfg(not(unix))]
fn is_same_file(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|data| data.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > Duration::from_secs(60))
}

/// The bytes of a new store.
fn image(semantics: u32) -> Result<Vec<u8>, DiskError> {
    let image = Image::default();
    let db = Builder::new().set_cache_size(1 << 20).create_with_backend(image.clone())?;
    tables::initialise(&db, semantics)?;
    db.close()?;
    let bytes = core::mem::take(&mut *image.bytes());
    Ok(bytes)
}

/// A file in memory.
#[derive(Clone, Default, Debug)]
struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nothing panics while it holds this")
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, offset) = (self.bytes(), offset as usize);
        let range = bytes.get(offset..offset + out.len());
        out.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = offset as usize;
        self.bytes()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}
