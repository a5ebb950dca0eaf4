//! A copy for which there is no room.

use std::path::{Path, PathBuf};
use std::process::Command;

use dacapo::store::Filter;
use dacapo::{Ctx, Executor, Result, Workflow};

const ECHO: Workflow<u32, u32> = Workflow::new("echo");
const CHILD: &str = "DACAPO_COPIED";

fn open(path: &Path) -> Executor {
    let echo = async |_: &Ctx, n: u32| Result::<u32>::Ok(n);
    Executor::builder().workflow(ECHO, echo).open(path).expect("it is a store, or none yet")
}

fn run(executor: &Executor, id: &str) {
    let run = executor.start(ECHO, id, 7).expect("it is new");
    assert_eq!(executor.block_on(run).expect("it ends"), 7);
}

/// So long may the files of this process become; the limit stands for a disk that is full.
fn limit_files(to: &str) {
    let process = std::process::id().to_string();
    let limit = format!("--fsize={to}:");
    let limited = Command::new("prlimit").args(["--pid", &process, &limit]).status();
    assert!(limited.expect("it is there").success());
}

/// Copies a store in a process of its own, whose limit ends in the midst of the copy.
#[test]
fn a_process_that_copies() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let (path, copy) = (folder.join("runs"), folder.join("copy"));
    let executor = open(&path);
    run(&executor, "one");
    limit_files("65536");
    let error = executor.backup(&copy).expect_err("there is no room");
    limit_files("unlimited");
    println!("{error}");
    let files = std::fs::read_dir(&folder).expect("it is there");
    let left: Vec<_> = files.map(|file| file.expect("it is there").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("copy")), "{left:?}");
    // It goes on, and the same copy is made when there is room.
    run(&executor, "two");
    executor.backup(&copy).expect("there is room");
    run(&executor, "three");
    let runs = |executor: &Executor| executor.runs(&Filter::new()).expect("it is read").len();
    assert_eq!((runs(&open(&copy)), runs(&executor)), (2, 3));
}

#[test]
fn a_disk_that_is_full_in_the_midst_of_a_copy() {
    let folder = std::env::temp_dir().join(format!("dacapo-copied-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("it can be made");
    // A process that is over its limit is killed unless it ignores that.
    let line =
        r#"trap '' XFSZ; exec "$0" --exact faults::copied::a_process_that_copies --nocapture"#;
    let mut command = Command::new("sh");
    command.args(["-c", line]).arg(std::env::current_exe().expect("this is one"));
    let output = command.env(CHILD, &folder).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let (from, to) = (folder.join("runs"), folder.join("copy"));
    let says = format!("cannot copy {} to {}: ", from.display(), to.display());
    assert!(said.contains(&says), "{said}");
    assert!(said.contains("make room there, or name a path on another disk"), "{said}");
    std::fs::remove_dir_all(folder).expect("it is there");
}
