//! H15, and the other side of H8, H12 and H13: what chance decides is found, and named.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;

use dacapo::sim::Sim;
use dacapo::{Ctx, ParkReason, Result, Step, Value};
use tokio::sync::{Barrier, watch};

use super::common::{Log, Process, RUN, build, found, named, slow, two_steps};

/// Stops a run before it ends, opens what it had stored by then, and returns how it is parked.
fn parked_after_a_restart<O: Value>(
    program: impl AsyncFn(&Ctx, &Sim) -> Result<O> + Copy + 'static,
) -> String {
    let live = Process::new(0, program);
    live.finish::<O>().unwrap();
    let stored = live.store.take().into_iter().nth_back(1).expect("it had several commits");
    let history = |process: &Process| {
        let store = process.store.now();
        let row = dacapo::store::Store::find(&store, RUN).unwrap().expect("it is stored");
        dacapo::store::Store::history(&store, row.key).unwrap()
    };
    let again = Process::open(0, stored, Default::default(), |sim| build(sim, program));
    let before = history(&again);
    let parked = again.executor.parked().unwrap().pop().expect("it is parked");
    assert_eq!((parked.id.as_str(), parked.reason), (RUN, ParkReason::Diverged));
    let error = again.finish::<O>().err().expect("it is parked");
    assert!(error.is_parked() && error.to_string().contains(&parked.message), "{error}");
    assert_eq!(before, history(&again), "nothing is appended to the history of a parked run");
    parked.message
}

/// The number that decides is another each time that it is asked for.
fn other_each_time() -> u64 {
    thread_local!(static ASKED: Cell<u64> = const { Cell::new(0) });
    ASKED.replace(ASKED.get() + 1)
}

fn visit(ctx: &Ctx, sim: &Sim, town: &'static str) -> Step<String> {
    slow(ctx, sim, "visit", town.to_owned())
}

const TOWNS: [&str; 12] = [
    "Athens", "Berne", "Cork", "Delft", "Erfurt", "Fez", "Ghent", "Hull", "Izmir", "Jena", "Kyiv",
    "Lille",
];

#[test]
fn the_order_of_a_hash_map_that_decides_the_order_of_labelled_steps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        let towns = HashMap::from(TOWNS.map(|town| (town, town.len())));
        for town in towns.into_keys() {
            visit(ctx, sim, town).label(town).await?;
        }
        Ok(())
    }
    let message = parked_after_a_restart(program);
    let [recorded, asked] = message.split(", but the code ").collect::<Vec<_>>()[..] else {
        panic!("both sides are shown: {message}")
    };
    let of = |side: &str| TOWNS.into_iter().find(|town| side.contains(town)).map(str::to_owned);
    assert!(recorded.contains("of the history holds outcome of step "), "{message}");
    assert!(asked.starts_with("asks for step "), "{message}");
    let (recorded, asked) = (of(recorded), of(asked));
    assert!(recorded.is_some() && asked.is_some() && recorded != asked, "{message}");
    assert!(found(program).contains("visit"));
}

#[test]
fn a_number_that_is_not_recorded_decides_a_label() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        visit(ctx, sim, "somewhere").label(other_each_time()).await?;
        named(ctx, sim, "after").await.map(|_| ())
    }
    let message = parked_after_a_restart(program);
    let both = r#"record 1 of the history holds outcome of step 1 "visit" [0], but the code asks "#;
    assert!(message.contains(both), "{message}");
    assert!(message.contains(r#"for step 1 "visit" [1]"#), "{message}");
}

#[test]
fn a_number_that_is_not_recorded_decides_which_step_comes_next() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        let name = if other_each_time().is_multiple_of(2) { "even" } else { "odd" };
        named(ctx, sim, name).await?;
        named(ctx, sim, "after").await.map(|_| ())
    }
    let message = parked_after_a_restart(program);
    assert!(message.contains(r#"holds outcome of step 1 "even", but"#), "{message}");
    assert!(message.contains(r#"asks for step 1 "odd""#), "{message}");
    let message = found(program);
    assert!(message.contains("even") && message.contains("odd"), "{message}");
}

/// Without labels, two operations of one call site that change places are not told apart by the
/// history, and the documentation says so. The simulation finds them where they change the result.
#[test]
fn steps_without_labels_that_change_places_are_found_by_the_simulation_alone() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let towns = if other_each_time().is_multiple_of(2) {
            ["Athens", "Berne"]
        } else {
            ["Berne", "Athens"]
        };
        visit(ctx, sim, towns[0]).await?;
        let second = visit(ctx, sim, towns[1]).await?;
        Ok(format!("{} is {second}", towns[1]))
    }
    let live = Process::new(0, program);
    live.finish::<String>().unwrap();
    let stored = live.store.take().into_iter().nth_back(1).expect("it had several commits");
    let again = Process::open(0, stored, Default::default(), |sim| build(sim, program));
    assert!(again.executor.parked().unwrap().is_empty(), "nobody can know");
    assert!(found(program).contains("ends here with another output"));
}

/// What they are about tells them apart.
#[test]
fn steps_that_say_what_they_are_about_and_change_places() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        let mut towns = TOWNS;
        towns.rotate_left(other_each_time() as usize % 2);
        for town in towns {
            visit(ctx, sim, town).of(&town).await?;
        }
        Ok(())
    }
    let message = parked_after_a_restart(program);
    let both = r#"record 1 of the history holds outcome of step 1 "visit" #"#;
    assert!(message.contains(both), "{message}");
    let mut fingerprints = message.split(" \"visit\" #").skip(1).map(|behind| &behind[..8]);
    assert_ne!(fingerprints.next(), fingerprints.next(), "{message}");
    assert!(found(program).contains("ask step 1 \"visit\" #"));
}

#[test]
fn two_branches_of_an_unbiased_select_that_are_ready_at_once() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        named(ctx, sim, "before").await?;
        let first = tokio::select! {
            () = std::future::ready(()) => "left",
            () = std::future::ready(()) => "right",
        };
        named(ctx, sim, first).await
    }
    let message = found(program);
    assert!(message.contains("left") && message.contains("right"), "{message}");
    let why = "- `tokio::select!` without `biased;` or `futures::select!`, with two branches that are \
               ready at once";
    assert!(message.contains(why), "{message}");
}

/// An async function builds its operations when it is polled: in an unbiased select the numbers of
/// two such branches are drawn by lot. Steps that are built in place have theirs from the source.
#[test]
fn async_functions_as_branches_of_an_unbiased_select() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let fetch = async || named(ctx, sim, "fetch").await;
        let wait = async || named(ctx, sim, "wait").await;
        let first = tokio::select! {
            end = fetch() => end?,
            end = wait() => end?,
        };
        named(ctx, sim, "after").await?;
        Ok(first)
    }
    let message = found(program);
    assert!(message.contains("fetch") && message.contains("wait"), "{message}");
}

/// Tokio spreads those who wait for a watch over eight lists, by lot, so several of them are woken
/// in random order.
#[test]
fn several_tasks_that_wait_for_a_watch_of_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        let (sender, receiver) = watch::channel(0);
        for _ in 0..4 {
            let mut receiver = receiver.clone();
            ctx.spawn(async move |_| receiver.changed().await).detach();
        }
        named(ctx, sim, "before").await?;
        sender.send_replace(1);
        named(ctx, sim, "after").await.map(|_| ())
    }
    assert!(found(program).contains("and the replay\n  poll "));
}

/// Tokio's barrier wakes through such a watch.
#[test]
fn several_tasks_that_wait_for_a_barrier_of_tokio() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<()> {
        let barrier = Rc::new(Barrier::new(5));
        for _ in 0..4 {
            let barrier = barrier.clone();
            ctx.spawn(async move |_| barrier.wait().await.is_leader()).detach();
        }
        named(ctx, sim, "before").await?;
        barrier.wait().await;
        named(ctx, sim, "after").await.map(|_| ())
    }
    assert!(found(program).contains("and the replay\n  poll "));
}

/// The fair race of futures-lite draws lots too; `dacapo::race` does not.
#[test]
fn the_fair_race_of_smol_between_branches_that_are_both_ready() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<String> {
        let log = Log::default();
        two_steps(ctx, sim, &log, "a").await?;
        let first = smol::future::race(async { "left" }, async { "right" }).await;
        named(ctx, sim, first).await
    }
    let message = found(program);
    assert!(message.contains("left") && message.contains("right"), "{message}");
}
