//! A crash or an error at every operation on the disk: what was acknowledged is there, what was
//! under way is there whole or not at all, and the store can go on.

use dacapo_store::conformance::{Action, Model, Program};
use dacapo_store::{Batch, Options, RedbStore, RunKey, RunRow, RunState, Store};

use crate::disk::{Disk, Fault, Loss};

/// Folds about every third commit.
const FOLD_BYTES: usize = 4_000;
const STEPS: usize = 14;

fn open(disk: &Disk) -> dacapo_store::Result<RedbStore> {
    open_with(disk, FOLD_BYTES)
}

fn open_with(disk: &Disk, fold_bytes: usize) -> dacapo_store::Result<RedbStore> {
    Options::new().fold_bytes(fold_bytes).cache_bytes(1 << 20).open_backend(disk.clone())
}

/// The bytes of an empty store.
fn empty() -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    drop(open(&disk).unwrap());
    disk.bytes()
}

/// Runs a program until an error; returns what is known to be there, and what also may be.
fn run(disk: &Disk, actions: &[Action]) -> (Model, Option<Model>) {
    run_with(disk, actions, FOLD_BYTES)
}

fn run_with(disk: &Disk, actions: &[Action], fold_bytes: usize) -> (Model, Option<Model>) {
    let mut acknowledged = Model::new();
    let Ok(mut store) = open_with(disk, fold_bytes) else { return (acknowledged, None) };
    for action in actions {
        let mut next = acknowledged.clone();
        next.apply(action);
        if let Err(error) = action.perform(&mut store) {
            assert!(error.is_refused(), "{error}");
            let again = store.commit(&Batch::new()).unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
            assert!(store.list(&Default::default()).is_err());
            return (acknowledged, Some(next));
        }
        acknowledged = next;
    }
    (acknowledged, None)
}

fn program(seed: u64) -> Vec<Action> {
    let (mut program, mut model) = (Program::new(seed), Model::new());
    let mut actions: Vec<_> = Vec::new();
    while actions.len() < STEPS {
        let action = program.next_action(&model);
        model.apply(&action);
        actions.push(action);
    }
    // A run of its own, which ends and is deleted, so that every program has a fold and a delete.
    actions.push(Action::Fold);
    let mut batch = Batch::new();
    let rows = model.rows().values().filter(|row| row.state.may_be_deleted());
    rows.for_each(|row| batch.delete(row.key));
    actions.push(Action::Commit(batch));
    actions.push(Action::Fold);
    actions.push(Action::Compact);
    actions
}

/// Opens what is left and compares; then goes on, to see that it can.
fn check_opened(bytes: Vec<u8>, (acknowledged, under_way): &(Model, Option<Model>), context: &str) {
    let disk = Disk::new(bytes);
    let mut store = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut model = match (acknowledged.compare(&store), under_way) {
        (Ok(()), _) => acknowledged.clone(),
        (Err(_), Some(under_way)) if under_way.compare(&store).is_ok() => under_way.clone(),
        (Err(difference), _) => panic!("{context}: {difference}"),
    };
    let mut program = Program::new(acknowledged.time());
    for _ in 0..3 {
        let action = program.next_action(&model);
        action.perform(&mut store).unwrap_or_else(|error| panic!("{context}: {error}"));
        model.apply(&action);
    }
    store.fold().unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    model.compare(&store).unwrap_or_else(|difference| panic!("{context}, later: {difference}"));
}

/// The crashes below are worth what the programs do that they cut off.
#[test]
fn the_programs_do_everything() {
    let mut found = [0; 8];
    let mut model_of = |seed| {
        let mut model = Model::new();
        for action in program(seed) {
            if let Action::Commit(batch) | Action::CommitWith(batch, _) = &action {
                let is_folded = |run: &&RunKey| model.rows().contains_key(run);
                found[0] += batch.deleted().iter().filter(is_folded).count();
                found[1] += batch.notes().count();
                let entries = batch.entries(u64::MAX);
                found[2] += entries.filter(|(_, entry)| entry.commit != u64::MAX).count();
                let continued = |row: &&RunRow| row.state == RunState::Continued;
                found[3] += batch.rows().iter().filter(continued).count();
                found[7] += batch.shapes().count();
            }
            found[4] += usize::from(
                matches!(&action, Action::CommitWith(_, changes) if !changes.is_empty()),
            );
            found[5] += usize::from(matches!(&action, Action::GiveUp(..)));
            found[6] += usize::from(matches!(&action, Action::Fold));
            model.apply(&action);
        }
    };
    SEEDS.into_iter().for_each(&mut model_of);
    assert!(found.iter().all(|count| *count >= 2), "{found:?}");
}

const SEEDS: [u64; 5] = [3, 4, 5, 6, 7];

fn operations(empty: &[u8], actions: &[Action]) -> u64 {
    let disk = Disk::new(empty.to_vec());
    run(&disk, actions);
    disk.operations()
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let empty = empty();
    for (seed, every) in [(3, 1), (4, 3)] {
        let actions = program(seed);
        for at in (0..operations(&empty, &actions)).step_by(every) {
            let disk = Disk::failing(empty.clone(), at, Fault::ErrorFrom);
            let known = run(&disk, &actions);
            // One loss each: the four come round quickly enough.
            let loss = Loss::EACH[(at + seed) as usize % 4];
            let context = format!("seed {seed}, crash at operation {at}, loss {loss:?}");
            check_opened(disk.after_crash(loss, at), &known, &context);
        }
    }
}

#[test]
fn an_error_at_any_operation_is_returned_and_loses_nothing() {
    let empty = empty();
    for (seed, fault, every) in [(5, Fault::ErrorOnce, 1), (6, Fault::ErrorFrom, 3)] {
        let actions = program(seed);
        for at in (0..operations(&empty, &actions)).step_by(every) {
            let disk = Disk::failing(empty.clone(), at, fault);
            let known = run(&disk, &actions);
            let context = format!("seed {seed}, {fault:?} at operation {at}");
            check_opened(disk.bytes(), &known, &context);
        }
    }
}

#[test]
fn a_crash_in_a_recovery_loses_nothing() {
    let empty = empty();
    let actions = program(7);
    let total = operations(&empty, &actions);
    for at in (0..total).step_by(29) {
        let disk = Disk::failing(empty.clone(), at, Fault::ErrorFrom);
        let known = run(&disk, &actions);
        let first = disk.after_crash(Loss::Torn, at);
        let recovery = Disk::new(first.clone());
        open(&recovery).unwrap().fold().unwrap();
        for second in 0..recovery.operations() {
            let disk = Disk::failing(first.clone(), second, Fault::ErrorFrom);
            let _ = open(&disk).and_then(|mut store| store.fold());
            let loss = Loss::EACH[(at + second) as usize % 4];
            let context = format!("crash at operation {at}, then at {second}, loss {loss:?}");
            check_opened(disk.after_crash(loss, second), &known, &context);
        }
    }
}

/// Many runs in the tables, deleted by commits without a fold between them; some of their ids are given to others
/// meanwhile.
fn deletions() -> Vec<Action> {
    const RUNS: u64 = 450;
    const AT_ONCE: u64 = 50;
    let row = |key: u64, id: u64| {
        let mut row = RunRow::new(RunKey(key), id.to_string(), "w");
        row.state = RunState::Completed;
        row
    };
    let mut batch = Batch::new();
    for key in 0..RUNS {
        batch.push(RunKey(key), 0, |bytes| bytes.push(key as u8));
        batch.put_row(row(key, key));
    }
    let mut actions = vec![Action::Commit(batch), Action::Fold];
    for (piece, first) in (0..RUNS).step_by(AT_ONCE as usize).enumerate() {
        let mut batch = Batch::new();
        (first..first + AT_ONCE).for_each(|key| batch.delete(RunKey(key)));
        if let Some(before) = first.checked_sub(AT_ONCE) {
            // Its id is free.
            batch.put_row(row(RUNS + piece as u64, before));
        }
        actions.push(Action::Commit(batch));
    }
    actions
}

/// More than are deleted by them, so that none of their commits folds.
const DELETIONS_BYTES: usize = 200_000;

#[test]
fn a_crash_while_many_leave_the_tables_loses_none_and_brings_none_back() {
    let (empty, actions) = (empty(), deletions());
    let whole = Disk::new(empty.clone());
    run_with(&whole, &actions, DELETIONS_BYTES);
    // The first commit and the fold are those of the tests above.
    let first = Disk::new(empty.clone());
    run_with(&first, &actions[..2], DELETIONS_BYTES);
    for at in (first.operations()..whole.operations()).step_by(3) {
        let disk = Disk::failing(empty.clone(), at, Fault::ErrorFrom);
        let known = run_with(&disk, &actions, DELETIONS_BYTES);
        let loss = Loss::EACH[(at / 3) as usize % 4];
        let context = format!("crash at operation {at}, loss {loss:?}");
        check_opened(disk.after_crash(loss, at), &known, &context);
    }
}
