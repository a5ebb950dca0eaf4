//! Every store does what the model does, however often it folds and is opened again.

use dacapo_store::conformance::{Plan, check};
use dacapo_store::{Hooked, MemoryStore, Operation, Options, Store};

use crate::place::Place;

const SEEDS: [u64; 2] = [1, 2];

#[test]
fn memory_store_conforms() {
    for seed in SEEDS {
        for reopen_every in [0, 1, 5] {
            let place = MemoryStore::new();
            check(&Plan { seed, steps: 120, reopen_every }, || place.shared());
            let boxed = MemoryStore::new();
            let plan = Plan { seed, steps: 20, reopen_every };
            check(&plan, || Box::new(boxed.shared()) as Box<dyn Store + Send>);
            let hooked = MemoryStore::new();
            check(&plan, || Hooked::new(hooked.shared(), |_: &Operation<'_>| Ok(())));
        }
    }
}

#[test]
fn redb_store_conforms() {
    check_redb(&Options::new());
}

#[test]
fn redb_store_conforms_when_it_folds_before_every_commit() {
    check_redb(&Options::new().fold_bytes(0));
}

#[test]
fn redb_store_conforms_when_it_folds_often() {
    check_redb(&Options::new().fold_bytes(5_000).cache_bytes(1 << 20));
}

/// What happens between two runs of one id takes many programs to come about.
#[test]
fn redb_store_conforms_over_many_programs() {
    for seed in 3..60 {
        let options = Options::new().fold_bytes([5_000, 20_000][seed as usize % 2]);
        let place = Place::new();
        let plan = Plan { seed, steps: 40, reopen_every: 0 };
        check(&plan, || options.open(place.join("runs")).unwrap());
    }
}

fn check_redb(options: &Options) {
    for seed in SEEDS {
        for reopen_every in [0, 1, 5] {
            let place = Place::new();
            let plan = Plan { seed, steps: 40, reopen_every };
            check(&plan, || options.open(place.join("runs")).unwrap());
            assert_eq!(place.files(), ["runs"]);
        }
    }
}
