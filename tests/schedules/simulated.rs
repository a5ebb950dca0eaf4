//! Schedules under the simulation: a crash after and before every commit.

use std::time::Duration;

use dacapo::sim::{self, Sim};
use dacapo::{Builder, Cron, Ctx, Error, Executor, Missed, Result, Table, Workflow};

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
