//! What the system does around a file: children that are forked, files that are empty, removed, only to
//! be read, and copied.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dacapo_store::{Batch, MemoryStore, Options, RedbStore, RunKey, Store};

use crate::place::Place;

/// Commits the next record of a run.
fn commit(store: &mut impl Store, seq: u64) -> dacapo_store::Result<u64> {
    let mut batch = Batch::new();
    batch.push(RunKey(0), seq, |bytes| bytes.extend(seq.to_le_bytes()));
    store.commit(&batch)
}

fn length(store: &impl Store) -> usize {
    store.history(RunKey(0)).unwrap().len()
}

/// Between its fork and its program a child holds whatever its parent has open.
#[test]
fn new_stores_beside_a_thread_that_runs_commands() {
    let place = Place::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                Command::new("true").status().expect("it runs");
            }
        });
        let refused = (0..300).filter_map(|n| RedbStore::open(place.join(&n.to_string())).err());
        let refused: Vec<_> = refused.collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(refused.is_empty(), "{} of 300: {}", refused.len(), refused[0]);
    });
}

#[test]
fn an_empty_file_is_a_new_store() {
    let place = Place::new();
    let path = place.join("runs");
    File::create(&path).unwrap();
    let mut store = RedbStore::open(&path).unwrap();
    commit(&mut store, 0).unwrap();
    assert!(RedbStore::open(&path).unwrap_err().is_in_use());
    drop(store);
    assert_eq!(length(&RedbStore::open(&path).unwrap()), 1);
    assert_eq!(place.files(), ["runs"]);
}

/// Whatever of it was on the disk when the process ended: either nothing is a store yet, or all of it.
#[test]
fn a_file_that_was_being_filled() {
    let place = Place::new();
    let path = place.join("runs");
    drop(RedbStore::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    let unmarked = [&[0; 9], &whole[9..]].concat();
    let holes: Vec<_> =
        (0..).zip(&unmarked).map(|(at, byte)| if at / 512 % 2 == 0 { *byte } else { 0 }).collect();
    let cut = |length: usize| unmarked[..length].to_vec();
    for left in [cut(0), cut(64), cut(4_096), cut(4_097), holes, unmarked.clone()] {
        fs::write(&path, left).unwrap();
        commit(&mut RedbStore::open(&path).unwrap(), 0).unwrap();
        assert_eq!(length(&RedbStore::open(&path).unwrap()), 1);
    }
    let others = [
        b"x".to_vec(),
        [&[0; 9], "somebody's file".as_bytes()].concat(),
        vec![0],
        vec![0; 9],
        vec![0; 8_192],
    ];
    for other in others {
        fs::write(&path, &other).unwrap();
        RedbStore::open(&path).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), other);
    }
}

/// It is looked for once in a while when commits follow each other, and by each commit that stands alone.
#[test]
fn a_file_that_is_removed_or_replaced() {
    let place = Place::new();
    let (path, other, link) = (place.join("runs"), place.join("other"), place.join("link"));
    let ways = ["removed", "moved", "replaced", "another at the same path", "behind a link"];
    for how in ways {
        fs::remove_file(&path).or_else(is_not_there).unwrap();
        drop(RedbStore::open(&path).unwrap());
        let opened = if how == "behind a link" { &link } else { &path };
        if how == "behind a link" {
            point(&path, &link).unwrap();
        }
        let mut store = RedbStore::open(opened).unwrap();
        commit(&mut store, 0).unwrap();
        let word = match how {
            "removed" => fs::remove_file(&path).map(|()| "removed"),
            "moved" => fs::rename(&path, &other).map(|()| "removed"),
            "replaced" => {
                fs::copy(&path, &other).and_then(|_| fs::rename(&other, &path)).map(|()| "replaced")
            }
            "behind a link" => fs::copy(&path, &other)
                .and_then(|_| fs::remove_file(&link))
                .and_then(|()| point(&other, &link))
                .map(|()| "replaced"),
            _ => {
                fs::rename(&path, &other).and_then(|()| fs::copy(&other, &path)).map(|_| "replaced")
            }
        };
        let (since, expected) = (Instant::now(), format!("was {} while", word.unwrap()));
        let refused = |seq| {
            let began = since.elapsed();
            let error = commit(&mut store, seq).err();
            // However long a commit takes: one that begins later than this is not acknowledged.
            assert!(error.is_some() || began < Duration::from_millis(10), "{how}: {began:?}");
            error
        };
        let error = (1..).find_map(refused).unwrap();
        assert!(error.is_refused(), "{how}: {error}");
        assert!(error.to_string().contains(&expected), "{how}: {error}");
        assert_eq!(commit(&mut store, 1).unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn a_file_that_is_removed_between_two_commits() {
    let place = Place::new();
    let path = place.join("runs");
    let mut store = RedbStore::open(&path).unwrap();
    commit(&mut store, 0).unwrap();
    thread::sleep(Duration::from_millis(20));
    fs::remove_file(&path).unwrap();
    assert!(commit(&mut store, 1).unwrap_err().is_refused());
}

/// What is put in order is looked for, whenever that was done last: no commit is the last of a file that is gone, and
/// nobody told.
#[test]
fn a_file_that_is_removed_before_its_last_commit() {
    for is_closed in [false, true] {
        let place = Place::new();
        let path = place.join("runs");
        let mut store = RedbStore::open(&path).unwrap();
        commit(&mut store, 0).unwrap();
        fs::remove_file(&path).unwrap();
        let told = commit(&mut store, 1).and_then(|_| match is_closed {
            false => store.fold().map(drop),
            true => store.close(),
        });
        let error = told.unwrap_err();
        assert!(error.to_string().contains("was removed while"), "{error}");
    }
}

/// The same file, with another content: as it was before, as another store, shorter. What is there is left to
/// whoever put it there, and no commit is acknowledged that is not in it.
#[test]
fn a_file_that_is_written_over_or_cut_off() {
    let place = Place::new();
    let (path, other) = (place.join("runs"), place.join("other"));
    let ways = [
        ("an earlier state", "written over"),
        ("another store", "written over"),
        ("zeros", "written over"),
        ("nothing", "cut off"),
        ("the first half", "cut off"),
    ];
    for (how, word) in ways {
        fs::remove_file(&path).or_else(is_not_there).unwrap();
        fs::remove_file(&other).or_else(is_not_there).unwrap();
        let mut store = RedbStore::open(&path).unwrap();
        commit(&mut store, 0).unwrap();
        let earlier = fs::read(&path).unwrap();
        commit(&mut store, 1).unwrap();
        let content = match how {
            "an earlier state" => earlier,
            "another store" => {
                let mut another = RedbStore::open(&other).unwrap();
                for n in 0..9 {
                    commit(&mut another, n).unwrap();
                }
                drop(another);
                fs::read(&other).unwrap()
            }
            "zeros" => vec![0; earlier.len()],
            "nothing" => Vec::new(),
            _ => earlier[..earlier.len() / 2].to_vec(),
        };
        // As `cp` does: it keeps the file, and writes over what is in it.
        fs::write(&path, &content).unwrap();
        let error = commit(&mut store, 2).unwrap_err();
        assert!(error.is_refused(), "{how}: {error}");
        let expected = format!("was {word} while it was open");
        assert!(error.to_string().contains(&expected), "{how}: {error}");
        assert_eq!(commit(&mut store, 2).unwrap_err().to_string(), error.to_string());
        drop(store);
        assert_eq!(fs::read(&path).unwrap(), content, "{how}");
        if how == "another store" {
            assert_eq!(length(&RedbStore::open(&path).unwrap()), 9);
        }
    }
}

#[test]
fn an_empty_file_that_is_only_looked_at() {
    let place = Place::new();
    let path = place.join("runs");
    File::create(&path).unwrap();
    let error = Options::new().read_only().open(&path).unwrap_err();
    let why = "runs is not a dacapo store: it is empty, made and never written;";
    assert!(error.is_not_a_store() && error.to_string().contains(why), "{error}");
}

/// Makes `link` a link to `path`.
fn point(path: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(path, link)
}

fn is_not_there(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Closed, or as a process left it that was killed; in a directory where nothing can be written.
#[test]
fn a_file_that_is_only_looked_at() {
    let place = Place::new();
    let path = place.join("runs");
    let mut store = RedbStore::open(&path).unwrap();
    commit(&mut store, 0).unwrap();
    let in_use = Options::new().read_only().open(&path).unwrap_err();
    assert!(in_use.is_in_use(), "{in_use}");
    let killed = fs::read(&path).unwrap();
    drop(store);
    for bytes in [fs::read(&path).unwrap(), killed] {
        fs::write(&path, &bytes).unwrap();
        let look = || Options::new().read_only().open(&path).unwrap();
        let (mut one, other) = (look(), look());
        assert_eq!((length(&one), length(&other)), (1, 1));
        assert!(RedbStore::open(&path).unwrap_err().is_in_use());
        let error = commit(&mut one, 1).unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("looked at only"), "{error}");
        one.set_marker(b"replaying");
        drop((one, other));
        assert!(fs::read(&path).unwrap() == bytes, "it was changed");
        assert_eq!(place.files(), ["runs"]);
    }
    Options::new().read_only().open(place.join("none")).unwrap_err();
    assert_eq!(place.files(), ["runs"], "nothing is made");
}

/// Each copy holds what was committed before it.
#[test]
fn copies_of_a_store_that_goes_on() {
    let place = Place::new();
    let mut store = Options::new().fold_bytes(256).open(place.join("runs")).unwrap();
    for seq in 0..20 {
        commit(&mut store, seq).unwrap();
        let copy = place.join(&format!("copy-{seq}"));
        store.backup(copy.to_str().unwrap()).unwrap();
        assert_eq!(length(&RedbStore::open(&copy).unwrap()) as u64, seq + 1);
        let error = store.backup(copy.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("there is a file already"), "{error}");
    }
    assert_eq!(place.files().len(), 21, "no draft is left");
    let error = store.backup(place.join("none/copy").to_str().unwrap()).unwrap_err();
    assert!(!error.is_refused(), "{error}");
    assert!(error.to_string().ends_with("create its directory first"), "{error}");
    commit(&mut store, 20).unwrap();
    MemoryStore::new().backup("copy").unwrap_err();
}
