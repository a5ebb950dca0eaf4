use alloc::sync::Arc;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use super::error::DiskError;
use super::intact::Known;

/// Where a store came from: what has to stay as it was for a commit to mean something.
pub(super) struct Origin {
    /// A forked child inherits the file with its locks, and would write over what the parent writes.
    process: u32,
    /// A store without a path has none.
    file: Option<OpenFile>,
}

struct OpenFile {
    path: PathBuf,
    /// What is known of it, if it is open to write.
    known: Option<Arc<Known>>,
    /// Held as long as the store: on some systems to close one handle of a file unlocks the others.
    file: File,
    identity: Identity,
    name: OpenName,
    /// When its path was looked at.
    looked: Instant,
}

/// For so long a file that was found at its path is taken to be there. To look costs as much as a twentieth of a
/// commit. What is removed takes its whole history along, so what is acknowledged meanwhile is the least of it; and
/// it is looked for once more when it is [put in order](Origin::find_file).
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Origin {
    /// That of a store which is no file.
    pub(super) fn nowhere() -> Origin {
        Origin { process: process::id(), file: None }
    }

    /// That of the file which is open at `path`.
    pub(super) fn of(path: &Path, file: &File, known: Option<Arc<Known>>) -> io::Result<Origin> {
        let (path, file) = (std::path::absolute(path)?, file.try_clone()?);
        let (identity, name) = (Identity::of(&file.metadata()?), OpenName::of(&path, &file));
        let looked = Instant::now();
        let file = Some(OpenFile { path, known, file, identity, name, looked });
        Ok(Origin { process: process::id(), file })
    }

    /// Whether this is the process that opened it.
    pub(super) fn is_own(&self) -> bool {
        self.process == process::id()
    }

    /// Before something is written: it must be by the process that opened the file, and on top of what that
    /// wrote last.
    pub(super) fn check(&self) -> Result<(), DiskError> {
        if !self.is_own() {
            return Err(DiskError::Forked(self.process));
        }
        self.file.as_ref().map_or(Ok(()), OpenFile::check)
    }

    /// Before it is said that something was written: what is in a file that nobody finds is lost.
    pub(super) fn check_file(&mut self) -> Result<(), DiskError> {
        let Some(open) = &mut self.file else { return Ok(()) };
        if open.looked.elapsed() < LOOK_EVERY {
            return Ok(());
        }
        open.is_found()?;
        open.looked = Instant::now();
        Ok(())
    }

    /// The same when the file is put in order, which may be the last that is done to it: it is looked for, whenever
    /// that was before.
    pub(super) fn find_file(&self) -> Result<(), DiskError> {
        self.file.as_ref().map_or(Ok(()), OpenFile::is_found)
    }

    /// As in a child process.
    #[cfg(test)]
    pub(super) fn fork(&mut self) {
        self.process = self.process.wrapping_add(1);
    }

    /// Where it lies, if it is a file.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|open| &*open.path)
    }

    /// The open file, if it is one.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref().map(|open| &open.file)
    }
}

impl OpenFile {
    fn check(&self) -> Result<(), DiskError> {
        let known = self.known.as_ref().map(|known| known.check(&self.file));
        known.unwrap_or(Ok(())).map_err(DiskError::Gone)
    }

    /// Whether its path leads to it still.
    fn is_found(&self) -> Result<(), DiskError> {
        if self.name.is(&self.path) {
            return Ok(());
        }
        match fs::metadata(&self.path) {
            Ok(data) if Identity::of(&data) != self.identity => Err(DiskError::Gone("replaced")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DiskError::Gone("removed"))
            }
            // Whatever else keeps it from being looked at says nothing about it.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// What tells files apart, whatever their names.
#[derive(PartialEq, Eq)]
struct Identity(Option<(u64, u64)>);

impl Identity {
    #[cfg(unix)]
    fn of(data: &fs::Metadata) -> Identity {
        use std::os::unix::fs::MetadataExt;
        Identity(Some((data.dev(), data.ino())))
    }

    /// Elsewhere it is not known: then a file that was replaced is not noticed.
    #[cfg(not(unix))]
    fn of(_data: &fs::Metadata) -> Identity {
        Identity(None)
    }
}

/// The name that the kernel has for an open file.
///
/// Whoever asks a file for its times makes its next change cost more: Linux from 6.13 on gives each change that
/// somebody has seen a time of its own, which is written to the disk. To look at a path asks for all
/// there is to know of the file, and did so in each commit. The name says as much, and costs nothing.
pub(super) struct OpenName {
    /// Where to read it, if it was the path. Otherwise there is a link on the way that may be turned
    /// elsewhere, or no /proc: then the path is looked at.
    #[cfg(target_os = "linux")]
    link: Option<PathBuf>,
}

impl OpenName {
    #[cfg(target_os = "linux")]
    fn of(path: &Path, file: &File) -> OpenName {
        use std::os::fd::AsRawFd;
        let link = PathBuf::from(alloc::format!("/proc/self/fd/{}", file.as_raw_fd()));
        OpenName { link: fs::read_link(&link).is_ok_and(|name| name == path).then_some(link) }
    }

    #[cfg(target_os = "linux")]
    fn is(&self, path: &Path) -> bool {
        let read = self.link.as_ref().map(fs::read_link);
        read.is_some_and(|name| name.is_ok_and(|name| name == path))
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_path: &Path, _file: &File) -> OpenName {
        OpenName {}
    }

    /// Elsewhere it is not known.
    #[cfg(not(target_os = "linux"))]
    fn is(&self, _path: &Path) -> bool {
        false
    }
}
