//! The order example as a process, its files, and what can be seen of it from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dacapo::store::{Filter, RedbStore, Store};

/// A process that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// The examples that are killed.
const KILLED: [&str; 3] = ["order", "service", "mailer"];

/// A directory with a store, a ledger and results.
pub(super) struct Site {
    pub(super) directory: PathBuf,
}

impl Site {
    pub(super) fn new(name: &str) -> Self {
        let name = format!("kill-{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Self { directory }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The example, with this site's store and ledger.
    pub(super) fn order(&self) -> Command {
        let mut command = Command::new(binary("order"));
        command.current_dir(&self.directory).args(["--db", "db", "--ledger", "ledger"]);
        command
    }

    /// Runs the example to its end.
    pub(super) fn finish(&self, args: &[&str]) -> String {
        let child = spawn(self.order().args(args).args(["--results", "results"]));
        let output = end(child);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().last().expect("it ends with a summary").to_owned()
    }

    pub(super) fn results(&self) -> String {
        fs::read_to_string(self.path("results")).unwrap()
    }

    /// The keys in the whole lines of the ledger, in their order, but for what all of a store and run have.
    pub(super) fn ledger(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ledger")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |last| &text[..last]);
        whole.lines().map(key_of).collect()
    }

    /// The same of the steps whose outcomes are committed, read from a copy of the file: the next
    /// process must find it as the last one left it.
    pub(super) fn committed(&self) -> BTreeSet<String> {
        let copy = self.path("copy");
        if !self.path("db").exists() {
            return BTreeSet::new();
        }
        fs::copy(self.path("db"), &copy).unwrap();
        let store = RedbStore::open(&copy).unwrap();
        let mut keys = BTreeSet::new();
        for row in store.list(&Filter::new()).unwrap() {
            for entry in &store.history(row.key).unwrap() {
                let step = finished_step(entry.record);
                keys.extend(step.map(|(local, name)| format!("{}/{local}/{name}", row.id)));
            }
        }
        keys
    }

    /// Every file with its bytes.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

/// What a failed test leaves behind is there to be looked at.
impl Drop for Site {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("see {}", self.directory.display());
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn key_of(line: &str) -> String {
    let fields: Vec<_> = line.split('\t').collect();
    let [order, step, key] = fields[..] else { panic!("a line of another form: {line:?}") };
    let (place, _) = key.rsplit_once('/').expect("the store's number is last");
    assert!(place.starts_with(&format!("{order}/")), "{line}");
    let place = place.replace("%20", " ");
    assert!(place.ends_with(&format!("/{step}")), "{line}");
    place
}

/// Reads the start of a record, as format 1 has it: the outcome of an operation is variant 1, with
/// the operation's number (task and place) and what was asked for; a step is variant 0 of that, with
/// its name. The workflow has one task.
fn finished_step(record: &[u8]) -> Option<(u32, &str)> {
    let (variant, rest) = postcard::take_from_bytes::<u32>(record).unwrap();
    if variant != 1 {
        return None;
    }
    let ((task, local, asked), rest) = postcard::take_from_bytes::<(u32, u32, u32)>(rest).unwrap();
    assert_eq!(task, 0);
    (asked == 0).then(|| (local, postcard::take_from_bytes::<&str>(rest).unwrap().0))
}

pub(super) fn spawn(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end of a process; it is killed when `is_over` says so, and there is no output. What
/// it writes must fit into a pipe.
pub(super) fn wait(mut child: Child, mut is_over: impl FnMut() -> bool) -> Option<Output> {
    while child.try_wait().unwrap().is_none() {
        if is_over() {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let was_killed = output.status.code().is_none();
            return (!was_killed).then_some(output); // It may have ended by itself just now.
        }
        thread::sleep(Duration::from_micros(500));
    }
    Some(child.wait_with_output().unwrap())
}

/// Waits for the end of a process that ends by itself.
pub(super) fn end(child: Child) -> Output {
    let began = Instant::now();
    wait(child, || began.elapsed() > PATIENCE).expect("it hangs")
}

/// The binary of an example, which is built if it is not up to date.
pub(super) fn binary(example: &str) -> PathBuf {
    static IS_BUILT: OnceLock<()> = OnceLock::new();
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("tests are in target/<profile>/deps");
    let path = |example: &str| {
        profile.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX))
    };
    IS_BUILT.get_or_init(|| {
        if !KILLED.iter().all(|example| is_fresh(&path(example))) {
            build(profile);
        }
    });
    let binary = path(example);
    assert!(binary.exists(), "{} is missing: cargo build --examples", binary.display());
    binary
}

fn is_fresh(binary: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = ["Cargo.toml", "src", "executor/src", "store/src", "examples"];
    let newest = sources.iter().map(|source| newest(&root.join(source))).max();
    fs::metadata(binary).is_ok_and(|data| Some(data.modified().unwrap()) >= newest)
}

fn newest(path: &Path) -> SystemTime {
    let own = fs::metadata(path).unwrap().modified().unwrap();
    let Ok(entries) = fs::read_dir(path) else { return own };
    entries.map(|entry| newest(&entry.unwrap().path())).max().map_or(own, |inner| inner.max(own))
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(|name| name.to_str()).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet"]);
    cargo.args(KILLED.iter().flat_map(|example| ["--example", example]));
    cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "the examples do not build");
}
