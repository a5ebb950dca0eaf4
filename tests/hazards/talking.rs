//! H4, H8, H9, H14, H17, H18 with messages and children in them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use dacapo::sim::{self, Sim};
use dacapo::{
    Builder, Channel, Child, Ctx, Error, Executor, ParkReason, Result, Workflow, join, join_all,
    race,
};
use futures::channel::mpsc;
use futures::{FutureExt, StreamExt};

use super::common::{Lines, Log, Process, RUN, build, cover, hazard, ms, named, slow};

const CHILD: Workflow<u64, String> = Workflow::new("child");
const WORD: Channel<u64> = Channel::new("word");

/// Two steps, and a word if there is one for it.
async fn child(ctx: &Ctx, sim: &Sim, n: u64) -> Result<String> {
    let first = slow(ctx, sim, "child's first", n).await?;
    let word = ctx.timeout(ms(4), ctx.receive(WORD)).await.unwrap_or(0);
    let second = slow(ctx, sim, "child's second", first + word).await?;
    Ok(format!("child {second}"))
}

fn with_child(sim: &Sim, program: impl AsyncFn(&Ctx, &Sim) -> Result<Lines> + 'static) -> Builder {
    let there = sim.clone();
    build(sim, program).workflow(CHILD, async move |ctx: &Ctx, n| child(ctx, &there, n).await)
}

/// Runs a program with every seed, crashed at each commit, while somebody outside sends words to it.
fn check(
    seeds: Range<u64>,
    least: usize,
    program: impl AsyncFn(&Ctx, &Sim) -> Result<Lines> + Copy + 'static,
    expect: impl Fn(&Lines),
) {
    let outputs = RefCell::new(BTreeSet::new());
    let client = async |executor: &Executor, sim: &Sim| {
        for n in 1..=6 {
            sim.latency().await;
            match executor.send(RUN, WORD, n).key(n).await {
                Err(error) if error.is_ended() || error.is_not_found() => {}
                sent => sent?,
            }
        }
        Ok(())
    };
    let check = sim::check(hazard()).start(RUN, ()).seeds(seeds).crash_loops().client(client);
    let report = check.run(
        |sim| with_child(sim, program),
        |lines: &Lines| {
            expect(lines);
            outputs.borrow_mut().insert(lines.clone());
        },
    );
    cover(1, report);
    let seen = outputs.into_inner().len();
    assert!(seen >= least, "only {seen} of {least} different outputs");
}

async fn word(ctx: &Ctx) -> String {
    format!("word {}", ctx.receive(WORD).await)
}

/// H4: whoever loses is dropped, a child with all that it does.
#[test]
fn races_of_children_words_and_steps() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for n in 0..3 {
            let steps = async {
                named(ctx, sim, "one").await?;
                named(ctx, sim, "two").await
            };
            let born = async {
                let child = ctx.child(CHILD, n).await?;
                Ok(format!("{child}, {}", named(ctx, sim, "after").await?))
            };
            log.line(race(steps, born).await?);
            let outer = race(async { Ok(word(ctx).await) }, async {
                ctx.sleep(ms(7)).await;
                ctx.child(CHILD, 10 + n).await
            });
            let (inner, step) = join(outer, named(ctx, sim, "beside")).await;
            log.line(inner?);
            log.line(step?);
        }
        Ok(log.lines())
    }
    check(0..25, 10, program, |lines| assert_eq!(lines.len(), 9));
}

/// H8: children and words feed a channel between tasks.
#[test]
fn a_channel_that_children_and_words_feed() {
    async fn program(ctx: &Ctx, _sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        let (sender, mut receiver) = mpsc::channel(1);
        for n in 0..3_u64 {
            let mut sender = sender.clone();
            let feed = ctx.spawn(async move |ctx: &Ctx| {
                let fed = match n {
                    0 => format!("word {}", ctx.receive(WORD).await),
                    n => ctx.child(CHILD, n).await.unwrap_or_else(|error| error.to_string()),
                };
                let _ = futures::SinkExt::send(&mut sender, fed).await;
            });
            feed.detach();
        }
        drop(sender);
        while let Some(fed) = receiver.next().await {
            log.line(fed);
        }
        Ok(log.lines())
    }
    check(0..25, 3, program, |lines| assert_eq!(lines.len(), 3));
}

/// H9: what is late is dropped, and timers that are due together come in their order.
#[test]
fn timeouts_around_children_and_words() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let log = Log::default();
        for n in 0..3 {
            let (child, sleep) =
                join(ctx.timeout(ms(9), ctx.child(CHILD, n)), ctx.sleep(ms(9))).await;
            let () = sleep;
            log.line(match child {
                Ok(ended) => ended?,
                Err(elapsed) => elapsed.to_string(),
            });
            let heard = ctx.timeout(ms(6), word(ctx)).await;
            log.line(heard.unwrap_or_else(|elapsed| elapsed.to_string()));
            log.line(named(ctx, sim, "between").await?);
        }
        Ok(log.lines())
    }
    check(0..25, 8, program, |lines| assert_eq!(lines.len(), 9));
}

/// H14: the child of one run in the hands of a body, which drops it: no replay does.
#[test]
fn a_child_that_a_body_drops() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let mut child: Child<String> = ctx.child(CHILD, 1);
        child.started().await?;
        let (child, there) = (RefCell::new(Some(child)), sim.clone());
        let body = ctx.step("drop it", async move || -> Result<()> {
            there.latency().await;
            drop(child.take());
            there.latency().await;
            Ok(())
        });
        body.await?;
        Ok(Lines::new())
    }
    let process = Process::open(1, Default::default(), ms(0), |sim| with_child(sim, program));
    let error = process.finish::<Lines>().expect_err("no replay does");
    assert_eq!(error.park_reason(), Some(ParkReason::ForeignWake));
    let child = process.executor.attach(CHILD, "run/1").expect("it goes on");
    assert_eq!(process.executor.block_on(child).expect("it ends"), "child 1");
}

/// H14: two runs that share a channel of another library are found out, children or not.
#[test]
fn a_child_that_wakes_its_parent_by_another_way() {
    thread_local! {
        static SIDE: RefCell<Option<mpsc::UnboundedSender<u64>>> = const { RefCell::new(None) };
    }
    let executor = Executor::builder()
        .workflow(hazard(), async |ctx: &Ctx, ()| {
            let (sender, mut receiver) = mpsc::unbounded();
            SIDE.set(Some(sender));
            let mut child = ctx.child(CHILD, 1);
            child.started().await?;
            let heard = receiver.next().await;
            Ok::<_, Error>(vec![format!("{heard:?}")])
        })
        .workflow(CHILD, async |ctx: &Ctx, n: u64| {
            ctx.sleep(ms(1)).await;
            SIDE.with_borrow(|side| side.as_ref().expect("it is there").unbounded_send(n)).ok();
            Ok::<_, Error>(String::new())
        })
        .in_memory();
    let run = executor.start(hazard::<Lines>(), RUN, ()).expect("new");
    let ended = executor.block_on(run).expect_err("its wake is in no history");
    assert_eq!(ended.park_reason(), Some(ParkReason::ForeignWake));
}

/// H17: a child that panics is parked alone; its parent waits, and goes on when it does.
#[test]
fn a_panic_in_a_child() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let both = join(ctx.child(CHILD, 1), named(ctx, sim, "beside")).await;
        Ok(vec![both.0?, both.1?])
    }
    let broken = |sim: &Sim| {
        build(sim, program)
            .workflow(CHILD, async |_: &Ctx, _: u64| -> Result<String> { panic!("no tea") })
    };
    let process = Process::open(3, Default::default(), ms(0), broken);
    let run = process.executor.start(hazard::<Lines>(), RUN, ()).expect("new");
    let child = async {
        run.accepted().await?;
        loop {
            match process.executor.attach(CHILD, "run/1") {
                Ok(child) => return child.await,
                Err(_) => process.sim.latency().await,
            }
        }
    };
    let parked = process.executor.block_on(child).expect_err("it panics");
    assert_eq!(parked.park_reason(), Some(ParkReason::Panicked));
    assert_eq!(process.executor.parked().expect("memory").len(), 1);
    let stored = process.store.now();
    drop(run);
    drop(process);
    let mended = Process::open(4, stored, ms(9), |sim| with_child(sim, program));
    mended.executor.resume("run/1").expect("it is mended");
    assert_eq!(mended.finish::<Lines>().expect("it goes on"), ["child 1", "beside"]);
}

/// H17: a parent that panics is parked, and its child is left alone.
#[test]
fn a_panic_in_a_parent() {
    async fn program(ctx: &Ctx, sim: &Sim) -> Result<Lines> {
        let mut child = ctx.child(CHILD, 1);
        child.started().await?;
        named(ctx, sim, "before").await?;
        panic!("no tea")
    }
    let process = Process::open(5, Default::default(), ms(0), |sim| with_child(sim, program));
    let parked = process.finish::<Lines>().expect_err("it panics");
    assert_eq!(parked.park_reason(), Some(ParkReason::Panicked));
    let child = process.executor.attach(CHILD, "run/1").expect("it is there");
    assert_eq!(process.executor.block_on(child).expect("it is left alone"), "child 1");
}

/// H18: five children at once, crashed at every commit and again in the recovery, and at every
/// operation on the disk.
#[test]
fn five_children_at_every_crash_and_fault_of_the_disk() {
    async fn program(ctx: &Ctx, _sim: &Sim) -> Result<Lines> {
        let children = join_all((0..3).map(|n| ctx.child(CHILD, n))).await;
        let mut lines: Lines = children.into_iter().collect::<Result<_>>()?;
        let dropped = ctx.child(CHILD, 9).now_or_never();
        assert!(dropped.is_none(), "it was asked for, and never begun");
        ctx.child(CHILD, 4).id("let go").detach();
        lines
            .push(format!("{:?}", ctx.send("let go", WORD, 5).await.map_err(|e| e.is_not_found())));
        Ok(lines)
    }
    let check = sim::check(hazard()).start(RUN, ()).seeds(0..4).crash_loops().disk_faults();
    let report = check.run(
        |sim| with_child(sim, program),
        |lines: &Lines| assert_eq!(*lines, ["child 0", "child 1", "child 2", "Ok(())"]),
    );
    assert!(report.storage_faults > 100, "{report}");
    cover(1, report);
}
