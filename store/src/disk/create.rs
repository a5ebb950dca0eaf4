use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use redb::{Builder, StorageBackend};

use super::tables;
use super::trouble::Trouble;

/// Makes a new store at a path where there is nothing.
///
/// It is written under another name beside the path and given its own when it is whole and on the
/// disk: a kill inside redb's own creation leaves a file that redb refuses later. If somebody else
/// was faster, theirs stays.
pub(super) fn create(path: &Path, semantics: u32) -> Result<(), Trouble> {
    let image = image(semantics)?;
    let draft = draft(path);
    let result = publish(&image, &draft, path);
    // It may be gone: `clear` of another process can be at work if this one slept in between.
    let _ = fs::remove_file(&draft);
    Ok(result?)
}

fn publish(image: &[u8], draft: &Path, path: &Path) -> io::Result<()> {
    let mut file = File::create_new(draft)?;
    file.write_all(image)?;
    file.sync_all()?;
    drop(file);
    match fs::hard_link(draft, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        // A file system without links. A rename would take the place of another process's file if
        // that came between these two lines.
        Err(_) if !path.exists() => fs::rename(draft, path)?,
        Err(error) => return Err(error),
    }
    sync_directory(path)
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

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn draft_prefix(path: &Path) -> OsString {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new-");
    name
}

fn draft(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = draft_prefix(path);
    name.push(format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    directory(path).join(name)
}

/// Removes what creations that were killed have left beside the path. One that is under way takes
/// milliseconds: what is younger than a minute is let be.
pub(super) fn clear(path: &Path) {
    let prefix = draft_prefix(path);
    let Ok(entries) = fs::read_dir(directory(path)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_draft = name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
        if is_draft && is_old(&entry) {
            // If it cannot be removed it is in nobody's way, and the next open tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|data| data.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > Duration::from_secs(60))
}

/// The bytes of a new store.
fn image(semantics: u32) -> Result<Vec<u8>, Trouble> {
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
