//! Schedules under the simulation: a crash after and before every commit.

use std::time::{Duration, UNIX_EPOCH};

use dacapo::sim::{self, Sim};
use dacapo::{
    Builder, Cron, Ctx, Error, Executor, Limits, Missed, Overlap, Queue, Result, Schedule, Table,
    Workflow,
};

const WATCH: Workflow<(), Vec<(String, u32)>> = Workflow::new("watch");
const SHIFT: Workflow<String, ()> = Workflow::new("shift");
/// How often each run was seen.
const SEEN: Table<String, u32> = Table::new("seen");

/// Counts itself, once, whatever happens.
async fn shift(ctx: &Ctx, sim: &Sim, id: String) -> Result<()> {
    assert_eq!(ctx.id(), id, "the input is that of its tick");
    let sim = sim.clone();
    let work = ctx.step("work", async move || -> Result<()> {
        sim.latency().await;
        Ok(())
    });
    work.await?;
    let count = ctx.transaction("count", move |tx| {
        let seen = tx.get(SEEN, &id).unwrap_or(0);
        tx.put(SEEN, &id, &(seen + 1));
        Ok::<_, Error>(())
    });
    count.await
}

/// Waits for two days, and reads what was counted.
async fn watch(ctx: &Ctx, (): ()) -> Result<Vec<(String, u32)>> {
    ctx.sleep(Duration::from_secs(2 * 86_400)).await;
    ctx.transaction("read", |tx| Ok::<_, Error>(tx.range(SEEN, ..).collect())).await
}

fn build(missed: Missed) -> impl Fn(&Sim) -> Builder {
    move |sim| {
        let sim = sim.clone();
        Executor::builder()
            .workflow(WATCH, watch)
            .workflow(SHIFT, async move |ctx: &Ctx, id: String| shift(ctx, &sim, id).await)
            .schedule("shift", Cron::new("0 */8 * * *").missed(missed), SHIFT, |tick| tick.run_id())
    }
}

fn of_hour(hour: u32) -> String {
    format!("shift@1970-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

#[test]
fn each_tick_has_one_run_wherever_the_process_ends() {
    let check = || sim::check(WATCH).start("watch", ()).seeds(0..3).crash_loops();
    let report = check().run(build(Missed::All(100)), |seen| {
        let hours = (1..).map(|tick| of_hour(8 * tick));
        let expected: Vec<_> = hours.take(seen.len()).map(|id| (id, 1)).collect();
        assert_eq!(*seen, expected, "none is left out, and none comes twice");
        assert!(seen.len() >= 4, "{seen:?}");
    });
    assert!(report.crashes > 20, "{report}");
    crate::coverage::add(&format!("programs=1 {report}"));
    check().run(build(Missed::Latest), |seen| {
        assert!(seen.iter().all(|(_, times)| *times == 1), "{seen:?}");
        assert!(!seen.is_empty());
    });
    let report = check().seeds(3..4).disk_faults().clock_jumps().run(build(Missed::Skip), |seen| {
        assert!(seen.iter().all(|(_, times)| *times == 1), "{seen:?}");
    });
    assert!(report.storage_faults > 10, "{report}");
}

const LINE: Queue = Queue::new("line");
const MINUTE: Duration = Duration::from_secs(60);
/// The runs that are under way, and those that have ended, in their order.
const UNDER_WAY: Table<String, String> = Table::new("under way");
const DONE: Table<u64, String> = Table::new("done");

/// Takes longer than it is from tick to tick, and must be alone.
async fn long(ctx: &Ctx, id: String) -> Result<()> {
    let mine = id.clone();
    let begin = ctx.transaction("begin", move |tx| {
        assert_eq!(tx.get(UNDER_WAY, "run"), None, "{mine} is not alone");
        tx.put(UNDER_WAY, "run", &mine);
        Ok::<_, Error>(())
    });
    begin.await?;
    ctx.sleep(2 * MINUTE + MINUTE / 2).await;
    let end = ctx.transaction("end", move |tx| {
        let done = tx.range(DONE, ..).count() as u64;
        tx.put(DONE, &done, &id);
        tx.remove(UNDER_WAY, "run");
        Ok::<_, Error>(())
    });
    end.await
}

/// Ticks that come while the run of one before goes on wait for it, each in its turn, wherever the process ends.
#[test]
fn ticks_wait_in_a_queue_wherever_the_process_ends() {
    const LOOK: Workflow<(), Vec<String>> = Workflow::new("look");
    let build = |_: &Sim| {
        let minutely = Schedule::every(MINUTE).missed(Missed::All(100));
        Executor::builder()
            .workflow(SHIFT, long)
            .workflow(LOOK, async |ctx: &Ctx, ()| {
                ctx.sleep(12 * MINUTE).await;
                let done = |(_, id): (u64, String)| id;
                ctx.transaction("read", move |tx| {
                    Ok::<_, Error>(tx.range(DONE, ..).map(done).collect())
                })
                .await
            })
            .queue(LINE, Limits::new().concurrency(1))
            .schedule("shift", minutely.overlap(Overlap::Queue(LINE)), SHIFT, |tick| tick.run_id())
    };
    let check = sim::check(LOOK).start("look", ()).seeds(0..4).crash_loops();
    let report = check.run(build, |done| {
        assert!(done.len() >= 3, "{done:?}");
        assert!(done.is_sorted(), "ids of times in one form are in their order: {done:?}");
    });
    assert!(report.crashes > 20, "{report}");
}

/// A range that is filled by a process that ends at any commit, and again by the next one: each of its ticks has one
/// run, those that come by themselves meanwhile too.
#[test]
fn a_range_is_filled_wherever_the_process_ends() {
    let hourly = |sim: &Sim| {
        let sim = sim.clone();
        Executor::builder()
            .workflow(WATCH, watch)
            .workflow(SHIFT, async move |ctx: &Ctx, id: String| shift(ctx, &sim, id).await)
            .schedule("shift", Cron::new("0 */8 * * *"), SHIFT, |tick| tick.run_id())
    };
    let check = sim::check(WATCH).start("watch", ()).client(async |executor, _| {
        const HOUR: Duration = Duration::from_secs(3_600);
        let range = UNIX_EPOCH + HOUR..UNIX_EPOCH + 25 * HOUR;
        let ids = executor.backfill("shift", range)?;
        assert_eq!(ids, [of_hour(8), of_hour(16), of_hour(24)]);
        for id in ids {
            executor.attach(SHIFT, &id)?.await?;
        }
        Ok(())
    });
    let report = check.seeds(0..3).crash_loops().run(hourly, |seen| {
        assert!(seen.iter().all(|(_, times)| *times == 1), "{seen:?}");
        assert!([8, 16, 24].iter().all(|hour| seen.contains(&(of_hour(*hour), 1))), "{seen:?}");
    });
    assert!(report.crashes > 20, "{report}");
}
