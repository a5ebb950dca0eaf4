//! Tables of users, and the transactions that read and write them.

mod atomic;
mod ordered;
mod policies;
mod simulated;
mod sweep;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Error, Executor, Result, Table, Tables, Timestamp, Tx};

const BALANCE: Table<String, i64> = Table::new("balance");
const LOG: Table<(String, u32), i64> = Table::new("log");

/// Opens an executor in virtual time over `stored`, and gives the store to look into.
fn open(builder: Builder, stored: MemoryStore) -> (Executor, Snapshots) {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
    let store = Snapshots::new(stored);
    let executor = builder.clock(clock).open_with(store.clone());
    (executor.expect("a store in memory opens"), store)
}

fn new(builder: Builder) -> Executor {
    open(builder, MemoryStore::new()).0
}

/// Adds to a balance, and gives what it has become. It does not become less than nothing.
fn add(tx: &mut Tx<'_>, name: &str, cents: i64) -> Result<i64> {
    let sum = tx.get(BALANCE, name).unwrap_or(0) + cents;
    tx.put(BALANCE, name, &sum);
    if sum < 0 { Err(Error::new(format!("{name} has too little")).permanent()) } else { Ok(sum) }
}

fn sum(tables: &Tables<'_>) -> i64 {
    tables.range(BALANCE, ..).map(|(_, cents)| cents).sum()
}

fn balance(executor: &Executor, name: &str) -> Option<i64> {
    let name = name.to_owned();
    executor.read(move |tables| tables.get(BALANCE, &name)).expect("it can be read")
}
