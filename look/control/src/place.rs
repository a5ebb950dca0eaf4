//! Where a socket stands, and whose it is.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::problem::{Code, Problem};

/// A path has to fit into an address, and systems differ: this fits everywhere.
pub(crate) const LONGEST: usize = 100;

/// A socket that stands at a path, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// What tells it from one that took its place.
    identity: (u64, u64),
}

impl Place {
    /// Binds a socket at `path`, in place of one that is there: whoever calls this holds the file that it
    /// stands for, so nobody serves the other one any more.
    ///
    /// It is bound in a folder that nobody else may enter, and moved when it has its mode: so there is no moment
    /// in which others may open it.
    pub(crate) fn bind(path: &Path) -> Result<(Self, UnixListener), Problem> {
        let refused = |why: &dyn std::fmt::Display| {
            Problem::new(Code::Failed, format_args!("no socket at {}: {why}", path.display()))
        };
        if path.as_os_str().len() > LONGEST {
            return Err(refused(&format_args!(
                "the path is longer than {LONGEST} bytes, which is what an address may have: name a \
                 shorter one with Control::at, and give it to the program as --socket"
            )));
        }
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(refused(&"something else is there, which was left as it is"));
            }
            Ok(_) | Err(_) => {}
        }
        let drafted = Draft::new(path).and_then(|draft| draft.publish(path));
        let (identity, listener) = drafted.map_err(|why| refused(&why))?;
        Ok((Self { path: path.to_owned(), identity }, listener))
    }

    /// Calls itself, so that whoever waits for a caller looks up.
    pub(crate) fn ring(&self) -> bool {
        self.is_own() && UnixStream::connect(&self.path).is_ok()
    }

    fn is_own(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|there| identity(&there) == self.identity)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_own() {
            // If it stays, the next one takes its place.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(data: &fs::Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// A folder of our own, for a moment.
struct Draft(PathBuf);

impl Draft {
    fn new(path: &Path) -> io::Result<Self> {
        static DRAFTS: AtomicU32 = AtomicU32::new(0);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let name = format!(".d{:x}-{number:x}", process::id());
        let folder = parent.unwrap_or(Path::new(".")).join(name);
        // That of a process of the same number, which was killed.
        let _ = fs::remove_file(folder.join("s"));
        let _ = fs::remove_dir(&folder);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    fn publish(self, path: &Path) -> io::Result<((u64, u64), UnixListener)> {
        let socket = self.0.join("s");
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        let identity = identity(&fs::symlink_metadata(&socket)?);
        fs::rename(&socket, path)?;
        Ok((identity, listener))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}
