//! Histories as people and programs read them: without workflows and types, in parts, damaged.

mod sources;

use std::fs;
use std::path::PathBuf;

use dacapo::store::{Batch, MemoryStore, RunKey, RunRow, Store};
use dacapo::{
    Attempt, Channel, Ctx, Error, Executor, HistoryEvent, HistoryPage, HistoryValue, OperationKind,
    Result, Retry, Secret, Statistics, Topic, Workflow, join,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    customer: String,
    card: Secret<String>,
}

const ORDER: Workflow<Order, String> = Workflow::new("order");
const SHIPMENT: Workflow<u8, u8> = Workflow::new("shipment");
const APPROVAL: Channel<bool> = Channel::new("approval");
const STATUS: Topic<String> = Topic::new("status");

async fn order(ctx: &Ctx, order: Order) -> Result<String> {
    let pay = async |attempt: Attempt| {
        if attempt.number() < 3 { Err(Error::new("the bank is down")) } else { Ok(250u64) }
    };
    let pay = ctx.step_with("pay", pay).label("card");
    let pay = pay.retry(Retry::exponential(std::time::Duration::from_millis(1)));
    let refused = ctx.step("refuse", async || Err::<(), _>(Error::new("no tea").permanent()));
    let (paid, refused) = join(pay, refused).await;
    assert!(refused.is_err());
    ctx.publish(STATUS, "paid".to_owned());
    ctx.sleep(std::time::Duration::from_millis(1)).await;
    let is_approved = ctx.receive(APPROVAL).await;
    let shipped = ctx.child(SHIPMENT, 7).await?;
    Ok(format!("{} {} {is_approved} {shipped}", order.customer, paid?))
}

/// Runs an order in a file, and closes it.
fn ordered(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("dacapo-{name}-{}.redb", std::process::id()));
    let _ = fs::remove_file(&path);
    let builder = Executor::builder().record_retries(std::time::Duration::ZERO);
    let builder =
        builder.workflow(ORDER, order).workflow(SHIPMENT, async |_: &Ctx, n| Ok::<_, Error>(n));
    let executor = builder.open(&path).expect("it is made");
    let card = Secret::new("4111".to_owned());
    let run = executor.start(ORDER, "order-1", Order { customer: "ada".into(), card });
    executor
        .block_on(async {
            let run = run?;
            run.accepted().await?;
            executor.send("order-1", APPROVAL, true).await?;
            run.await
        })
        .expect("it ends");
    path
}

fn text(value: &HistoryValue) -> String {
    value.view(1_000).expect("it is not damaged").0.to_string()
}

/// Each entry in a line.
fn shown(page: &HistoryPage) -> Vec<String> {
    let outcome = |outcome: &Result<HistoryValue>| match outcome {
        Ok(value) => text(value),
        Err(error) => format!("error {error}"),
    };
    let show = |event: &HistoryEvent| match event {
        HistoryEvent::Started { workflow, input, .. } => {
            format!("started {workflow} {}", text(input))
        }
        HistoryEvent::Ended { number, kind, label, outcome: ended, attempts, .. } => {
            let kind = match kind {
                OperationKind::Sleep(_) => "sleep".into(),
                kind => format!("{kind:?}"),
            };
            format!("ended {number} {kind} {label:?} {} ×{attempts}", outcome(ended))
        }
        HistoryEvent::AttemptFailed { number, attempt, error, .. } => {
            format!("attempt {attempt} of {number} failed: {error}")
        }
        HistoryEvent::ChildStarted { number, workflow, id, .. } => {
            format!("child {number} {workflow} {id}")
        }
        HistoryEvent::Message { channel, value, .. } => {
            format!("message {channel} {}", text(value))
        }
        HistoryEvent::Published { topic, value, .. } => {
            format!("published {topic} {}", text(value))
        }
        HistoryEvent::Finished { outcome: ended, .. } => format!("finished {}", outcome(ended)),
        HistoryEvent::Unreadable { .. } => "unreadable".to_owned(),
        other => panic!("{other:?} is not in it"),
    };
    page.entries.iter().map(|entry| show(&entry.event)).collect()
}

/// What an order does, in the order of no particular run.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_history_is_read_without_its_code_and_its_types() {
    let path = ordered("read");
    let before = fs::read(&path).expect("it is there");
    let executor = Executor::builder().open_read_only(&path).expect("it is one");
    let page = executor.history("order-1", 0..100).expect("it is there");
    assert_eq!(page.records, page.entries.len() as u64);
    assert_eq!(
        sorted(shown(&page)),
        [
            "attempt 1 of 1 failed: the bank is down",
            "attempt 2 of 1 failed: the bank is down",
            "child 6 shipment order-1/6",
            "ended 1 Step(\"pay\") Some(\"card\") 250 ×3",
            "ended 2 Step(\"refuse\") None error step 2 \"refuse\" failed: no tea ×1",
            "ended 4 sleep None () ×0",
            "ended 6 Child(\"shipment\") Some(\"order-1/6\") 7 ×0",
            "finished \"ada 250 true 7\"",
            "message approval true",
            "published status \"paid\"",
            "started order Order { customer: \"ada\", card: (secret) }",
        ]
    );
    let numbers: Vec<_> = page.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (0..page.records).collect::<Vec<_>>());
    assert!(page.entries.is_sorted_by_key(|entry| (entry.commit, entry.time)));
    let child = executor.history("order-1/6", 0..1).expect("it is there");
    let HistoryEvent::Submitted { parent, .. } = &child.entries[0].event else {
        panic!("a child is submitted")
    };
    let parent = parent.as_ref().map(|(run, number)| (*run, number.to_string()));
    assert_eq!(parent, Some((executor.info("order-1").expect("it is there").key, "6".into())));
    // A commit is refused.
    assert!(executor.block_on(executor.delete("order-1")).unwrap_err().is_store());
    drop(executor);
    assert_eq!(fs::read(&path).expect("it is there"), before);
    fs::remove_file(path).expect("it is there");
}

#[test]
fn a_part_of_a_history() {
    let path = ordered("parts");
    let executor = Executor::builder().open_read_only(&path).expect("it is one");
    let whole = shown(&executor.history("order-1", 0..u64::MAX).expect("it is there"));
    for (from, to) in [(0, 0), (0, 1), (3, 7), (9, 11), (10, 90), (11, 12), (90, 95)] {
        let part = executor.history("order-1", from as u64..to as u64).expect("it is there");
        let end = to.min(whole.len());
        assert_eq!(shown(&part), whole[from.min(end)..end], "{from}..{to}");
        assert_eq!((part.records, part.next), (whole.len() as u64, None));
    }
    assert!(executor.history("order-2", 0..1).unwrap_err().is_not_found());
    fs::remove_file(path).expect("it is there");
}

/// One record that is damaged hides no other.
#[test]
fn a_history_that_is_damaged_is_read_around_the_damage() {
    let path = ordered("damaged");
    let executor = Executor::builder().open_read_only(&path).expect("it is one");
    let whole = shown(&executor.history("order-1", 0..100).expect("it is there"));
    drop(executor);
    let mut bytes = fs::read(&path).expect("it is there");
    let at = bytes.windows(6).position(|part| part == b"status").expect("a topic is named");
    bytes[at] ^= 1;
    fs::write(&path, bytes).expect("it can be written");
    let executor = Executor::builder().open_read_only(&path).expect("it is one");
    let damaged = shown(&executor.history("order-1", 0..100).expect("it is there"));
    let differs = |(was, is): (&String, &String)| (was != is).then(|| (was.clone(), is.clone()));
    let different: Vec<_> = whole.iter().zip(&damaged).filter_map(differs).collect();
    assert_eq!(different, [("published status \"paid\"".to_owned(), "unreadable".to_owned())]);
    fs::remove_file(path).expect("it is there");
}

/// A run of so many records of a later build.
fn of_another_build(records: u64, size: usize) -> MemoryStore {
    let mut store = MemoryStore::new();
    let mut batch = Batch::new();
    batch.put_row(RunRow::new(RunKey(0), "long", "unknown"));
    for seq in 0..records {
        batch.push(RunKey(0), seq, |bytes| bytes.resize(bytes.len() + size, 200));
    }
    store.commit(&batch).expect("it is stored");
    store
}

#[test]
fn a_part_has_500_records_at_most_and_16_mib() {
    for (records, size, at_once) in [(1_234, 8, 500), (120, 1 << 20, 50)] {
        let executor =
            Executor::builder().look_at(of_another_build(records, size)).expect("it is read");
        let (mut next, mut seen) = (Some(0), Vec::new());
        while let Some(from) = next {
            let page = executor.history("long", from..u64::MAX).expect("it is there");
            assert!(page.entries.len() <= at_once, "{}", page.entries.len());
            assert_eq!(page.records, records);
            let is_unreadable =
                |event: &HistoryEvent| matches!(event, HistoryEvent::Unreadable { .. });
            assert!(page.entries.iter().all(|entry| is_unreadable(&entry.event)));
            seen.extend(page.entries.iter().map(|entry| entry.seq));
            next = page.next;
        }
        assert_eq!(seen, (0..records).collect::<Vec<_>>());
    }
}

/// To look takes up no run, even if its workflow is there.
#[test]
fn a_file_that_is_looked_at_goes_nowhere() {
    let store = MemoryStore::new();
    let builder = || {
        Executor::builder().workflow(SHIPMENT, async |ctx: &Ctx, n| {
            Ok::<_, Error>(n + u8::from(ctx.receive(APPROVAL).await))
        })
    };
    let executor = builder().open_with(store.shared()).expect("it is read");
    let run = executor.start(SHIPMENT, "one", 1).expect("it begins");
    executor.block_on(run.accepted()).expect("it is stored");
    drop(executor);
    let executor = builder().look_at(store.shared()).expect("it is read");
    executor.block_on(dacapo::yield_now());
    assert_eq!(executor.statistics().expect("it is read").resident, 0);
    assert!(executor.awaited("one").expect("it is read").is_none());
    assert_eq!(store.last_commit(), 1);
    drop(executor);
    let executor = builder().open_with(store.shared()).expect("it is read");
    let awaited = executor.awaited("one").expect("it is read").expect("it is in memory");
    assert_eq!(awaited[0].kind, OperationKind::Receive("approval".into()));
}

/// How many attempts there may be is known of a step that is tried again, and of one that is under way.
#[test]
fn how_many_attempts_a_policy_allows() {
    const TRY: Workflow<u8, ()> = Workflow::new("try");
    const PATIENT: Retry = Retry::exponential(std::time::Duration::from_secs(60));
    let code = async |ctx: &Ctx, case: u8| -> Result<()> {
        let fails = async || Err::<(), _>(Error::new("the bank is down"));
        match case {
            0 => ctx.step("fails", fails).retry(PATIENT).await,
            1 => ctx.step("fails", fails).retry(PATIENT.max_attempts(20)).await,
            2 => ctx.step("hangs", std::future::pending::<Result<()>>).await,
            _ => {
                ctx.sleep(std::time::Duration::from_secs(3)).await;
                Ok(())
            }
        }
    };
    let executor = Executor::builder().workflow(TRY, code).in_memory();
    let known = executor.block_on(async {
        for case in 0..4 {
            executor.start(TRY, &format!("try-{case}"), case)?.accepted().await?;
        }
        for _ in 0..9 {
            dacapo::yield_now().await;
        }
        let awaited = |case| executor.awaited(&format!("try-{case}"));
        (0..4).map(|case| Ok(awaited(case)?.expect("it is in memory")[0].attempts_max)).collect()
    });
    let known: Result<Vec<_>> = known;
    assert_eq!(known.expect("they run"), [None, Some(20), Some(1), None]);
    let retrying = executor.retrying().expect("it lives");
    let retrying: Vec<_> = retrying.iter().map(|step| step.attempts_max).collect();
    assert_eq!(retrying, [None, Some(20)]);
}

/// Of a file the commits of the last minute are measured; of what is never driven, and in memory, less.
#[test]
fn the_last_minute_of_an_executor() {
    use std::time::Duration;
    const NAP: Workflow<(), ()> = Workflow::new("nap");
    let nap = async |ctx: &Ctx, ()| {
        ctx.sleep(Duration::from_millis(100)).await;
        Ok::<_, Error>(())
    };
    let path = std::env::temp_dir().join(format!("dacapo-minute-{}.redb", std::process::id()));
    let _ = fs::remove_file(&path);
    let build = || Executor::builder().workflow(NAP, nap);
    let executor = build().open(&path).expect("it is made");
    let statistics = executor.statistics().expect("it is read");
    assert_eq!((statistics.up, statistics.recent), (None, None), "nobody drove it");
    let nap = |n: u64| {
        executor.block_on(executor.start(NAP, &n.to_string(), ()).expect("new")).expect("it ends");
        executor.statistics().expect("it is read")
    };
    // Where a commit takes as long as a nap nobody sleeps.
    let slept = |told: &Statistics| told.recent.as_ref().is_some_and(|of| !of.idle.is_zero());
    let told = (1..100).map(|n| (n, nap(n))).find(|(_, told)| slept(told));
    let (naps, statistics) = told.expect("the loop has slept");
    let recent = statistics.recent.expect("it was driven");
    assert_eq!(statistics.up, Some(recent.within), "it was there for less than a minute");
    assert!(recent.idle <= recent.within, "{recent:?}");
    let commits = recent.commits.expect("it is a file");
    assert_eq!(commits.count, statistics.commits);
    // A start, the end of the sleep, and the end.
    assert_eq!(commits.records, 3 * naps);
    assert!(Duration::ZERO < commits.p50 && commits.p50 <= commits.p99, "{commits:?}");
    drop(executor);
    let looked = Executor::builder().open_read_only(&path).expect("it is at rest");
    assert_eq!(looked.statistics().expect("it is read").recent, None);
    let executor = build().in_memory();
    executor.block_on(executor.start(NAP, "nap-1", ()).expect("new")).expect("it ends");
    let recent = executor.statistics().expect("it is read").recent.expect("it was driven");
    assert_eq!(recent.commits, None);
    drop(looked);
    fs::remove_file(path).expect("it is there");
}
