//! What was accepted is read as what it was, by this build and by every later one; what cannot be
//! read back is refused where it is to be recorded.

mod accepted;
mod compared;
mod damaged;
mod deepest;
mod edge;
mod foreign;
mod later;
mod limits;
mod nested;
mod refused;
mod releases;

use std::fmt::Debug;
use std::time::Duration;

use dacapo::sim::{Snapshots, VirtualClock};
use dacapo::store::{MemoryStore, Store};
use dacapo::{Builder, Ctx, Error, Executor, Timestamp, Value, Workflow};

const HOUR: Duration = Duration::from_secs(3600);

/// A workflow that has its input recorded as the outcome of a step, too, sleeps, and gives both back.
fn keep<T: Value + Clone>() -> (Workflow<T, (T, T)>, Builder) {
    let keep = async |ctx: &Ctx, input: T| {
        let body = input.clone();
        let outcome = ctx.step("keep", async move || Ok::<_, Error>(body.clone())).await?;
        ctx.sleep(HOUR).await;
        Ok::<_, Error>((input, outcome))
    };
    let workflow = Workflow::new("keep");
    (workflow, Executor::builder().workflow(workflow, keep))
}

/// Opens an executor in virtual time over `stored`.
fn open(builder: Builder, stored: MemoryStore) -> (Executor, VirtualClock, Snapshots) {
    let clock = VirtualClock::new(Timestamp::from_nanos(stored.time()));
    let store = Snapshots::new(stored);
    let executor = builder.clock(clock.clone()).open_with(store.clone());
    (executor.expect("a store in memory opens"), clock, store)
}

/// The store as a process left it in which a run with this input sleeps.
fn asleep<T: Value + Clone>(stored: MemoryStore, id: &str, input: T) -> MemoryStore {
    let (workflow, builder) = keep::<T>();
    let (executor, clock, store) = open(builder, stored);
    let _run = executor.start(workflow, id, input).expect("it can be recorded");
    executor.block_on(clock.sleep(HOUR / 2));
    store.now()
}

/// What the run comes to in the build of this type, and the store behind it. It is replayed from its
/// beginning, before and after its end.
fn finished<T: Value + Clone>(
    stored: MemoryStore,
    id: &str,
) -> (Result<(T, T), Error>, MemoryStore) {
    let (workflow, builder) = keep::<T>();
    let (executor, _, store) = open(builder, stored);
    let run = executor.attach(workflow, id).expect("it is there");
    let end = executor.block_on(run);
    if end.is_ok() {
        executor.verify(id).expect("it replays");
    }
    (end, store.now())
}

/// The output of an ended run in the build of this type.
fn output<T: Value + Clone>(stored: MemoryStore, id: &str) -> Result<(T, T), Error> {
    let (workflow, builder) = keep::<T>();
    let (executor, _, _) = open(builder, stored);
    executor.block_on(executor.attach(workflow, id)?)
}

/// A value is kept as input, outcome and output, and is what it was, in this process and the next.
fn check_kept<T: Value + Clone + Debug + PartialEq>(value: T) {
    let stored = asleep(MemoryStore::new(), "run", value.clone());
    let (end, stored) = finished::<T>(stored, "run");
    assert_eq!(end.expect("it is read"), (value.clone(), value.clone()));
    assert_eq!(output::<T>(stored, "run").expect("it is read"), (value.clone(), value));
}

/// A run sleeps with the value of one build, and goes on in another, which finds it to be `after`;
/// its output is read by the first build again.
fn check_read_later<A, B>(before: A, after: B, back: A)
where
    A: Value + Clone + Debug + PartialEq,
    B: Value + Clone + Debug + PartialEq,
{
    let stored = asleep(MemoryStore::new(), "run", before);
    let (end, stored) = finished::<B>(stored, "run");
    assert_eq!(end.expect("it is read"), (after.clone(), after));
    assert_eq!(output::<A>(stored, "run").expect("it is read"), (back.clone(), back));
}
