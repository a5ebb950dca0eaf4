use std::task::Poll;
use std::time::Duration;

use dacapo::sim::{self, Recorder, Sim, VirtualClock};
use dacapo::store::{Filter, MemoryStore, RunKey, Store};
use dacapo::{
    Builder, Channel, Clock, Ctx, Error, Executor, Result, Timestamp, Workflow, join, join_all,
    race,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};

use super::send;

const TALK: Workflow<Role, Vec<u64>> = Workflow::new("talk");
const NUMBERS: Channel<u64> = Channel::new("numbers");
const OTHERS: Channel<u64> = Channel::new("others");

/// What one run of a simulation does.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Role {
    /// Sends these to a run, from two tasks, with steps in between.
    Send(String, u64),
    /// Receives so many, one after the other.
    Receive(u64),
    /// Receives so many, two at a time, and whichever is first is followed by a step.
    Unordered(u64),
    /// Builds receives, polls them, drops them with and without a message in hand.
    Drop(u64),
    /// Polls a receive once and holds it while a step is carried out: a message that comes meanwhile
    /// is in its hand when it is dropped.
    Hold(u64),
    /// Sends to itself.
    Alone,
}

async fn talk(ctx: &Ctx, sim: &Sim, role: Role) -> Result<Vec<u64>> {
    let step = |name, n: u64| {
        let sim = sim.clone();
        ctx.step(name, async move || {
            sim.latency().await;
            Ok::<_, Error>(n)
        })
    };
    match role {
        Role::Send(to, count) => {
            let deliver = async |channel, n: u64| loop {
                match ctx.send(&to, channel, n).await {
                    Err(error) if error.is_not_found() => {
                        ctx.sleep(Duration::from_millis(7)).await;
                    }
                    sent => return sent,
                }
            };
            let numbers = async {
                for n in 0..count {
                    let n = step("think", n).await?;
                    deliver(NUMBERS, n).await?;
                }
                Ok::<_, Error>(())
            };
            let others = async {
                for n in 0..count {
                    deliver(OTHERS, 100 + n).await?;
                }
                Ok::<_, Error>(())
            };
            let (numbers, others) = join(numbers, others).await;
            numbers.and(others)?;
            Ok(vec![count])
        }
        Role::Receive(count) => {
            let (numbers, others) = join(
                async {
                    let mut numbers = Vec::new();
                    for _ in 0..count {
                        numbers.push(ctx.receive(NUMBERS).await);
                        step("note", 0).await?;
                    }
                    Ok::<_, Error>(numbers)
                },
                join_all((0..count).map(|_| ctx.receive(OTHERS))),
            )
            .await;
            Ok([numbers?, others].concat())
        }
        Role::Unordered(count) => {
            let (mut left, mut found) = (count, Vec::new());
            let mut receives = FuturesUnordered::new();
            while left > 0 || !receives.is_empty() {
                while left > 0 && receives.len() < 2 {
                    receives.push(ctx.receive(NUMBERS));
                    left -= 1;
                }
                let n = receives.next().await.expect("some wait");
                found.push(step("after", n).await?);
            }
            Ok(found)
        }
        Role::Drop(count) => {
            let mut found = Vec::new();
            while (found.len() as u64) < count {
                let unpolled = ctx.receive(NUMBERS);
                // The older of two that are polled is dropped when a step ends: with a message in
                // hand or without, the next one gets it.
                let older = ctx.receive(NUMBERS);
                let winner = race(async { Some(older.await) }, async {
                    let _ = step("cut", 0).await;
                    None
                })
                .await;
                drop(unpolled);
                match winner {
                    Some(n) => found.push(n),
                    None => found.push(ctx.receive(NUMBERS).await),
                }
            }
            Ok(found)
        }
        Role::Hold(count) => {
            let mut found = Vec::new();
            while (found.len() as u64) < count {
                let mut held = ctx.receive(NUMBERS);
                match futures::poll!(&mut held) {
                    Poll::Ready(n) => found.push(n),
                    Poll::Pending => {
                        step("meanwhile", 0).await?;
                        drop(held);
                        found.push(ctx.receive(NUMBERS).await);
                    }
                }
            }
            Ok(found)
        }
        Role::Alone => {
            ctx.send(ctx.id(), NUMBERS, 1).await?;
            let receive = ctx.receive(NUMBERS);
            ctx.send(ctx.id(), NUMBERS, 2).await?;
            Ok(vec![ctx.receive(NUMBERS).await, receive.await])
        }
    }
}

fn build(sim: &Sim) -> Builder {
    let sim = sim.clone();
    Executor::builder().workflow(TALK, async move |ctx: &Ctx, role| talk(ctx, &sim, role).await)
}

/// Each message arrives once, those of one run in the order in which it sent them, wherever either
/// crashes.
#[test]
fn messages_between_runs_arrive_once_and_in_order() {
    sim::check(TALK)
        .start("a", Role::Receive(3))
        .start("b", Role::Send("a".into(), 3))
        .seeds(0..30)
        .crash_loops()
        .run_all(build, |ends| {
            let received = ends.of("a").as_ref().expect("it ends");
            assert_eq!(*received, [0, 1, 2, 100, 101, 102]);
        });
}

#[test]
fn messages_are_handled_as_they_come() {
    let clients = sim::check(TALK).start("a", Role::Unordered(4)).client(async |executor, sim| {
        for n in 0..4 {
            send(executor, sim, "a", (NUMBERS, n, &n.to_string())).await?;
        }
        Ok(())
    });
    let report = clients.seeds(0..30).run_all(build, |ends| {
        assert_eq!(*ends.of("a").as_ref().expect("it ends"), [0, 1, 2, 3]);
    });
    assert!(report.distinct_traces > 20, "{report:?}");
}

#[test]
fn a_receive_that_is_dropped_gives_its_message_back() {
    let check = sim::check(TALK).start("a", Role::Drop(3)).client(async |executor, sim| {
        for n in 0..3 {
            send(executor, sim, "a", (NUMBERS, n, &n.to_string())).await?;
        }
        Ok(())
    });
    let report = check.seeds(0..60).run_all(build, |ends| {
        assert_eq!(*ends.of("a").as_ref().expect("it ends"), [0, 1, 2], "in the order of arrival");
    });
    assert!(report.distinct_traces > 20, "{report:?}");
}

#[test]
fn a_message_in_hand_is_not_lost() {
    let check = sim::check(TALK).start("a", Role::Hold(3)).client(async |executor, sim| {
        for n in 0..3 {
            send(executor, sim, "a", (NUMBERS, n, &n.to_string())).await?;
        }
        Ok(())
    });
    check.seeds(0..40).run_all(build, |ends| {
        assert_eq!(*ends.of("a").as_ref().expect("it ends"), [0, 1, 2], "in the order of arrival");
    });
}

/// The older receive gets the first, whichever is polled first.
#[test]
fn a_run_that_sends_to_itself() {
    sim::check(TALK).start("a", Role::Alone).run_all(build, |ends| {
        assert_eq!(*ends.of("a").as_ref().expect("it ends"), [1, 2]);
    });
}

/// A key holds among messages of one commit, over restarts, and while the run is out of memory.
#[test]
fn a_message_with_a_key_arrives_once() {
    let check = sim::check(TALK).start("a", Role::Receive(2)).client(async |executor, sim| {
        for _ in 0..3 {
            for n in 0..2 {
                let key = n.to_string();
                let twice = join(
                    send(executor, sim, "a", (NUMBERS, n, &key)),
                    send(executor, sim, "a", (OTHERS, 100 + n, &key)),
                );
                let (numbers, others) = twice.await;
                numbers.and(others)?;
            }
        }
        Ok(())
    });
    let evicting = |sim: &Sim| build(sim).resident_max(0);
    check.seeds(0..30).run_all(evicting, |ends| {
        assert_eq!(*ends.of("a").as_ref().expect("it ends"), [0, 1, 100, 101]);
    });
}

/// A webhook that repeats itself is told that its message is there, also when the run has ended since: in
/// memory, and after a restart. What is new comes too late.
#[test]
fn a_message_with_a_key_that_comes_again_after_the_end() {
    let store = MemoryStore::new();
    let open = || {
        let build = Executor::builder()
            .workflow(TALK, async |ctx: &Ctx, _| Ok::<_, Error>(vec![ctx.receive(NUMBERS).await]));
        build.open_with(store.shared()).expect("it opens")
    };
    let send = |executor: &Executor, key: &str| {
        executor.block_on(executor.send("run", NUMBERS, 1).key(key))
    };
    let executor = open();
    let run = executor.start(TALK, "run", Role::Alone).expect("new");
    send(&executor, "webhook").expect("it is recorded");
    executor.block_on(run).expect("it ends");
    for executor in [executor, open()] {
        let records = store.history(RunKey(0)).expect("it is there").len();
        send(&executor, "webhook").expect("it is there");
        assert!(send(&executor, "another").unwrap_err().is_ended());
        assert!(executor.block_on(executor.send("run", OTHERS, 1).key("webhook")).is_err());
        let same = store.history(RunKey(0)).expect("it is there").len();
        assert_eq!(same, records, "nothing is recorded of it");
    }
}

/// Which run it was meant for, and what can be done.
#[test]
fn messages_that_nobody_takes() {
    let executor = build(&Sim::new(1, sim::VirtualClock::default())).in_memory();
    let send = |to: &str| executor.block_on(executor.send(to, NUMBERS, 1));
    let error = send("nobody").unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error.to_string(), r#"there is no run "nobody": check the id, or start it"#);

    let run = executor.start(TALK, "alone", Role::Alone).expect("new");
    executor.block_on(run).expect("it ends");
    let error = send("alone").unwrap_err();
    assert!(error.is_ended(), "{error}");
    let expected =
        r#"run "alone" has ended: it takes nothing any more; attach to it for its outcome, "#;
    assert!(error.to_string().starts_with(expected), "{error}");

    const WORDS: Channel<String> = Channel::new("numbers");
    let run = executor.start(TALK, "words", Role::Receive(1)).expect("new");
    executor.block_on(executor.send("words", WORDS, "a word".into())).expect("it is recorded");
    let error = executor.block_on(run).unwrap_err();
    assert!(error.is_parked(), "{error}");
    assert!(error.to_string().contains(r#"the message on channel "numbers", record 1"#), "{error}");
    // A parked run keeps what comes, and has it when it goes on.
    executor.block_on(executor.send("words", OTHERS, 7)).expect("it is recorded");
    assert_eq!(executor.resume("words").unwrap_err().park_reason(), error.park_reason());
}

/// A run that waits for a message alone is not replayed by an open, can be attached to, takes no time
/// of a virtual clock, and comes back for the message; also when it has left memory long before.
#[test]
fn a_message_for_a_run_that_is_not_in_memory() {
    for resident_max in [0, 1_000] {
        let (store, clock) = (MemoryStore::new(), VirtualClock::default());
        let recorder = Recorder::default();
        let sim = Sim::new(1, clock.clone());
        let open = || {
            let builder = build(&sim).clock(clock.clone()).observer(recorder.clone());
            builder.resident_max(resident_max).open_with(store.shared()).expect("it opens")
        };
        let executor = open();
        for id in ["a", "b"] {
            let run = executor.start(TALK, id, Role::Receive(1)).expect("new");
            executor.block_on(run.accepted()).expect("it is committed");
        }
        // It rests, and rows are written.
        executor.block_on(clock.sleep(Duration::from_secs(5)));
        let row = executor.runs(&Filter::new()).expect("readable").remove(0);
        assert_eq!(row.wake_at.map(Timestamp::as_nanos), Some(u64::MAX), "{row:?}");
        let deliver = |executor: &Executor, id: &str| {
            let run = executor.attach(TALK, id).expect("it is there");
            executor.block_on(async {
                executor.send(id, NUMBERS, 7).await.expect("it is recorded");
                executor.send(id, OTHERS, 8).await.expect("it is recorded");
            });
            assert_eq!(executor.block_on(run).expect("it ends"), [7, 8]);
        };
        deliver(&executor, "a");
        drop(executor);
        let before = recorder.trace("b");
        let executor = open();
        assert_eq!(recorder.trace("b"), before, "it was not replayed");
        let now = clock.now();
        executor.block_on(clock.sleep(Duration::from_secs(5)));
        assert_eq!(clock.now(), now + Duration::from_secs(5));
        deliver(&executor, "b");
        executor.verify("b").expect("it replays to its end");
    }
}
