//! A request that has left for another store, as a build to come will record it: this one does not ask
//! again, and waits.

use dacapo::store::{Batch, MemoryStore, RunRow, Store};
use dacapo::{Channel, Ctx, Error, Executor, Result, Workflow, yield_now};

const SEND: Workflow<(), u32> = Workflow::new("send");
const TAKE: Workflow<(), u32> = Workflow::new("take");
const WORD: Channel<u32> = Channel::new("word");

/// `OperationNoted`, of operation 1 of the root: that it has left.
const LEFT: [u8; 4] = [2, 0, 1, 3];

fn open(store: &MemoryStore) -> Result<Executor> {
    Executor::builder()
        .workflow(SEND, async |ctx: &Ctx, ()| {
            ctx.send("take", WORD, 7).await?;
            Ok::<_, Error>(1)
        })
        .workflow(TAKE, async |ctx: &Ctx, ()| Ok::<_, Error>(ctx.receive(WORD).await))
        .open_with(store.shared())
}

/// A run of a file: its row, and its records.
type Stored = (RunRow, Vec<Vec<u8>>);

/// The runs of a file in which the message was sent, in the order of their starts.
fn sent() -> Result<Vec<Stored>> {
    let store = MemoryStore::new();
    let executor = open(&store)?;
    let take = executor.start(TAKE, "take", ())?;
    executor.block_on(executor.start(SEND, "send", ())?)?;
    assert_eq!(executor.block_on(take)?, 7);
    drop(executor);
    let rows = store.list(&Default::default()).expect("readable").into_iter();
    let stored = rows.map(|row| {
        let history = store.history(row.key).expect("readable");
        let records = history.iter().map(|entry| entry.record.to_vec()).collect();
        (row, records)
    });
    Ok(stored.collect())
}

#[test]
fn a_request_that_has_left_is_not_asked_again() -> Result<()> {
    let stored = sent()?;
    let mut store = MemoryStore::new();
    let mut batch = Batch::new();
    for (row, records) in &stored {
        batch.push(row.key, 0, |bytes| bytes.extend_from_slice(&records[0]));
        if row.id == "send" {
            batch.push(row.key, 1, |bytes| bytes.extend_from_slice(&LEFT));
        }
        batch.put_row(RunRow::new(row.key, &*row.id, &*row.workflow));
    }
    store.commit(&batch).expect("it is written");
    let executor = open(&store)?;
    executor.block_on(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    executor.verify("send")?;
    drop(executor);
    let ((send, records), (take, _)) = (&stored[1], &stored[0]);
    assert_eq!((&*send.id, &*take.id), ("send", "take"));
    let length = |row: &RunRow| store.history(row.key).expect("readable").len();
    assert_eq!((length(take), length(send)), (1, 2), "nothing was sent again");

    // What came of it comes with a later commit.
    batch.clear();
    batch.push(send.key, 2, |bytes| bytes.extend_from_slice(&records[1]));
    store.commit(&batch).expect("it is written");
    let executor = open(&store)?;
    assert_eq!(executor.block_on(executor.attach(SEND, "send")?)?, 1);
    executor.verify("send")
}
