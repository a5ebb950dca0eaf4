//! Which file, and how it is opened.

use std::fs;
use std::path::{Path, PathBuf};

use dacapo::store::Options;
use dacapo::{Builder, Executor, RunInfo};
use dacapo_inspect::Source;

use crate::trouble::{Kind, Trouble};

/// A file that is looked at.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What a header calls it.
    pub(crate) name: String,
    pub(crate) executor: Executor,
}

impl Opened {
    pub(crate) fn source(&self) -> Source<'_> {
        Source::new(&self.executor)
    }

    /// A pass of a run; without a number the last one.
    pub(crate) fn find(&self, id: &str, pass: Option<u32>) -> Result<RunInfo, Trouble> {
        self.source().find(id, pass)?.ok_or_else(|| {
            let message = format!(
                "run {id:?} has no pass {} in this file: see \"dacapo list --prefix {id} --state continued\"",
                pass.unwrap_or_default()
            );
            Trouble::new(Kind::NoSuchRun, message)
        })
    }
}

/// Opens the file to look at it.
pub(crate) fn open(builder: Builder, file: Option<&Path>) -> Result<Opened, Trouble> {
    open_with(builder, file, Options::new())
}

/// The same, in another way.
pub(crate) fn open_with(
    builder: Builder,
    file: Option<&Path>,
    options: Options,
) -> Result<Opened, Trouble> {
    let path = path_of(file)?;
    let store = options.read_only().open(&path)?;
    Ok(Opened { name: name_of(&path), executor: builder.look_at(store)? })
}

/// Opens the file to change it. No workflow is known, so no run is taken up.
pub(crate) fn open_to_change(file: Option<&Path>) -> Result<Opened, Trouble> {
    let path = path_of(file)?;
    let store = Options::new().open(&path)?;
    Ok(Opened { name: name_of(&path), executor: Executor::builder().open_with(store)? })
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
        let message = format!("there is no file {}: name it with -f FILE", path.display());
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
