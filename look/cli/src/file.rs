//! Which file, and how it is opened.

use std::fs;
use std::path::{Path, PathBuf};

use dacapo::store::Options;
use dacapo::{Builder, Executor};
use dacapo_control::{Client, Reached};

use crate::place::{Opened, Place};
use crate::trouble::{Kind, Trouble};

/// What the file is opened for, if nobody has it open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// It is looked at.
    Look,
    /// It is changed. No workflow is known then, so no run is taken up.
    Change,
    /// A run is copied: its workflow says what would begin, and no run is taken up.
    Copy,
    /// Runs are replayed beside, by the workflows of this program.
    Rehearse,
    /// Runs go on, by the workflows of this program.
    Run,
}

/// Which file is meant, and what is known of its workflows.
pub(crate) struct Files {
    pub(crate) file: Option<PathBuf>,
    pub(crate) socket: Option<PathBuf>,
    /// `None`: this program knows no workflows.
    pub(crate) builder: Option<Builder>,
}

impl Files {
    /// The process that has the file open, or else the file.
    pub(crate) fn place(self, purpose: Purpose) -> Result<Place, Trouble> {
        if let Some(socket) = &self.socket {
            return match Client::reach(socket)? {
                Reached::Live(client) => {
                    let name =
                        client.file().map(Path::new).map_or_else(|| name_of(socket), name_of);
                    Ok(Place::Live(name, client))
                }
                Reached::Nobody => {
                    let message = format!(
                        "nobody serves the socket {}: start its process, or name the file with -f FILE",
                        socket.display()
                    );
                    Err(Trouble::new(Kind::InUse, message))
                }
            };
        }
        let path = path_of(self.file.as_deref())?;
        if let Reached::Live(client) = Client::reach(&dacapo_control::socket_beside(&path))? {
            return Ok(Place::Live(name_of(&path), client));
        }
        let executor = match (purpose, self.builder) {
            (Purpose::Look, builder) => builder
                .unwrap_or_else(Executor::builder)
                .look_at(Options::new().read_only().open(&path)?)?,
            (Purpose::Change, _) => Executor::builder().open_with(Options::new().open(&path)?)?,
            (Purpose::Copy, builder) => {
                let builder = builder.unwrap_or_else(Executor::builder);
                builder.look_at(Options::new().open(&path)?)?
            }
            (Purpose::Rehearse, Some(builder)) => {
                builder.look_at(Options::new().read_only().open(&path)?)?
            }
            (Purpose::Run, Some(builder)) => builder.open_with(Options::new().open(&path)?)?,
            (Purpose::Rehearse | Purpose::Run, None) => return Err(needs_code(&path)),
        };
        Ok(Place::Rest(Opened { name: name_of(&path), executor }))
    }

    /// The same to take in what was exported: a file that is named and not there is made. So that none is left where
    /// that is refused, it is taken into memory first.
    pub(crate) fn place_for(self, lines: &[u8]) -> Result<Place, Trouble> {
        if let Some(path) = self.file.as_ref().filter(|path| !path.exists()) {
            Executor::builder().in_memory().import(lines)?;
            drop(Executor::builder().open(path)?);
        }
        self.place(Purpose::Change)
    }

    /// The file at rest, opened to read, in another way. `None`: a process has it open, and answers.
    pub(crate) fn at_rest(&self, options: Options) -> Result<Option<Opened>, Trouble> {
        if self.socket.is_some() {
            return Ok(None);
        }
        let path = path_of(self.file.as_deref())?;
        if let Reached::Live(_) = Client::reach(&dacapo_control::socket_beside(&path))? {
            return Ok(None);
        }
        let store = options.read_only().open(&path)?;
        Ok(Some(Opened { name: name_of(&path), executor: Executor::builder().look_at(store)? }))
    }
}

/// This program cannot run what the file holds.
fn needs_code(path: &Path) -> Trouble {
    let message = format!(
        "nobody runs {}, and this program does not have its workflows: start the process that does, or do it with a \
         program of your own, whose main calls dacapo_cli::run(builder)",
        path.display()
    );
    Trouble::new(Kind::NotInThisState, message)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn path_of(file: Option<&Path>) -> Result<PathBuf, Trouble> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => only_one(Path::new("."))?,
    };
    if !path.exists() {
        let message = format!("there is no file {}: name another with -f FILE", path.display());
        return Err(Trouble::new(Kind::NoSuchFile, message));
    }
    Ok(path)
}

/// The only store in a folder.
fn only_one(folder: &Path) -> Result<PathBuf, Trouble> {
    let is_store = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "redb");
    let entries = fs::read_dir(folder).map_err(|error| {
        Trouble::new(Kind::Failed, format!("this folder cannot be read: {error}"))
    })?;
    let mut stores: Vec<_> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(is_store).collect();
    stores.sort();
    match &stores[..] {
        [only] => Ok(only.clone()),
        [] => Err(Trouble::new(
            Kind::Usage,
            "there is no *.redb in this folder: name the file with -f FILE or DACAPO_FILE",
        )),
        [first, ..] => {
            let message = format!(
                "there are {} *.redb in this folder: name one, as with -f {}",
                stores.len(),
                first.display()
            );
            Err(Trouble::new(Kind::Usage, message))
        }
    }
}
