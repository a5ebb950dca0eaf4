//! The index of ids. Nearly every start of a run asks for an id that is not there, and whoever is
//! told so wrongly runs something twice. So a miss has to be proven: each node is checked against the
//! checksum that the one above it has, and the root's is in the file's own row.

use alloc::format;
use alloc::vec::Vec;

use redb::{ReadableTable, Table};

use super::error::DiskError;
use crate::RunKey;
use crate::format::node::{self, Entry, Node, Place};

type Result<T> = core::result::Result<T, DiskError>;

/// A leaf with more runs becomes a branch.
const FULL: usize = 128;

/// A run that comes in or goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Change {
    pub(super) entry: Entry,
    pub(super) stays: bool,
}

/// The runs whose ids may be this one: all that have it, and hardly ever another.
pub(super) fn find(
    table: &impl ReadableTable<u64, &'static [u8]>,
    root: u64,
    id: &str,
) -> Result<Vec<RunKey>> {
    let hash = node::hash(id);
    let (mut place, mut sum) = (Place::ROOT, root);
    loop {
        match read(table, place, sum)? {
            Node::Leaf(entries) => {
                let found = entries.into_iter().filter(|entry| entry.0 == hash);
                return Ok(found.map(|(_, run)| run).collect());
            }
            Node::Branch(sums) => {
                let child = place.child_of(hash);
                (place, sum) = (place.child(child), sums[child]);
            }
        }
    }
}

/// Makes changes, which are in order, and gives the new root.
pub(super) fn change(
    table: &mut Table<'_, u64, &'static [u8]>,
    root: u64,
    changes: &[Change],
) -> Result<u64> {
    change_below(table, Place::ROOT, root, changes)
}

fn change_below(
    table: &mut Table<'_, u64, &'static [u8]>,
    place: Place,
    sum: u64,
    changes: &[Change],
) -> Result<u64> {
    if changes.is_empty() {
        return Ok(sum);
    }
    let mut node = read(table, place, sum)?;
    match &mut node {
        Node::Branch(sums) => change_children(table, place, sums, changes)?,
        Node::Leaf(entries) => {
            apply(entries, changes);
            if entries.is_empty() {
                table.remove(place.key())?;
                return Ok(0);
            }
            if entries.len() > FULL && place.may_branch() {
                let all: Vec<_> =
                    entries.iter().map(|&entry| Change { entry, stays: true }).collect();
                let mut sums = [0; 16];
                change_children(table, place, &mut sums, &all)?;
                node = Node::Branch(sums);
            }
        }
    }
    let (bytes, sum) = node::pack(place, &node);
    table.insert(place.key(), &bytes[..])?;
    Ok(sum)
}

fn change_children(
    table: &mut Table<'_, u64, &'static [u8]>,
    place: Place,
    sums: &mut [u64; 16],
    mut changes: &[Change],
) -> Result<()> {
    for (number, sum) in sums.iter_mut().enumerate() {
        let end = changes.partition_point(|change| place.child_of(change.entry.0) <= number);
        let (here, rest) = changes.split_at(end);
        *sum = change_below(table, place.child(number), *sum, here)?;
        changes = rest;
    }
    Ok(())
}

fn apply(entries: &mut Vec<Entry>, changes: &[Change]) {
    for Change { entry, stays } in changes {
        match (entries.binary_search(entry), stays) {
            (Err(at), true) => entries.insert(at, *entry),
            (Ok(at), false) => drop(entries.remove(at)),
            _ => {}
        }
    }
}

/// A node that has this checksum: without one it is empty.
fn read(table: &impl ReadableTable<u64, &'static [u8]>, place: Place, sum: u64) -> Result<Node> {
    if sum == 0 {
        return Ok(Node::Leaf(Vec::new()));
    }
    let bytes = table.get(place.key())?;
    let node = bytes.as_ref().ok_or("it is missing");
    let node = node.and_then(|bytes| node::read(place, sum, bytes.value()));
    node.map_err(|flaw| DiskError::Damaged(format!("node {} of its ids: {flaw}", place.key())))
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase, ReadableTableMetadata};

    use super::*;
    use crate::disk::tables::IDS;

    fn apply_all(db: &Database, root: u64, changes: &mut [Change]) -> u64 {
        changes.sort_unstable();
        let txn = db.begin_write().unwrap();
        let root = change(&mut txn.open_table(IDS).unwrap(), root, changes).unwrap();
        txn.commit().unwrap();
        root
    }

    #[test]
    fn what_came_in_is_found_until_it_goes() {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let (mut model, mut root) = (BTreeMap::new(), 0);
        for round in 0..40u64 {
            let mut changes = Vec::new();
            for key in 200 * round..200 * (round + 1) {
                let id = format!("run {key}");
                changes.push(Change { entry: (node::hash(&id), RunKey(key)), stays: true });
                model.insert(id, key);
                let old = format!("run {}", key / 3);
                if key % 3 == 0
                    && round > 0
                    && let Some(run) = model.remove(&old)
                {
                    changes.push(Change { entry: (node::hash(&old), RunKey(run)), stays: false });
                }
            }
            root = apply_all(&db, root, &mut changes);
        }
        let table = db.begin_read().unwrap().open_table(IDS).unwrap();
        for key in 0..8_200 {
            let id = format!("run {key}");
            let found: Vec<_> = model.get(&id).map(|key| RunKey(*key)).into_iter().collect();
            assert_eq!(find(&table, root, &id).unwrap(), found, "{id}");
        }
        let gone = |(id, key): (&alloc::string::String, &u64)| Change {
            entry: (node::hash(id), RunKey(*key)),
            stays: false,
        };
        let mut changes: Vec<_> = model.iter().map(gone).collect();
        root = apply_all(&db, root, &mut changes);
        let table = db.begin_read().unwrap().open_table(IDS).unwrap();
        assert!(table.len().unwrap() < 300, "leaves go when they are empty");
        assert_eq!(find(&table, root, "run 0").unwrap(), []);
    }

    #[test]
    fn ids_of_one_hash_are_all_found() {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let entry = |key| Change { entry: (node::hash("one"), RunKey(key)), stays: true };
        let mut changes: Vec<_> = (0..1_000).map(entry).collect();
        let root = apply_all(&db, 0, &mut changes);
        let table = db.begin_read().unwrap().open_table(IDS).unwrap();
        assert_eq!(find(&table, root, "one").unwrap().len(), 1_000);
        assert!(find(&table, root, "another").unwrap().is_empty());
    }
}
