//! Queues and schedules.

use std::path::Path;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{
    Builder, Ctx, Error, Executor, Limits, Queue, Result, Schedule, Start, Timestamp, Workflow,
};

use crate::live::Live;
use crate::support::{dacapo, folder, snapshot};

const MAIL: Workflow<u32, ()> = Workflow::new("mail");
const MAILS: Queue = Queue::new("mails");
const REPORTS: Queue = Queue::new("reports");
const HOUR: Duration = Duration::from_secs(3_600);
/// The 25th of November 2020, 12:04:03 UTC.
const START: u64 = 1_606_305_843_000_000_000;

fn build() -> Builder {
    Executor::builder()
        .workflow(MAIL, async |ctx: &Ctx, _: u32| {
            ctx.sleep(HOUR * 24 * 365 * 100).await;
            Ok::<_, Error>(())
        })
        .queue(MAILS, Limits::new().concurrency(2))
        .queue(REPORTS, Limits::new())
        .schedule("hourly", Schedule::every(HOUR), MAIL, |_| 1)
        .schedule("daily", Schedule::every(HOUR * 24), MAIL, |_| 2)
}

/// Two mails are on their way, two wait for room and one for a time; nobody may report; a schedule is paused.
fn mails(path: &Path) -> Result<()> {
    let clock = VirtualClock::new(Timestamp::from_nanos(START));
    let executor = build().clock(clock.clone()).open(path)?;
    executor.block_on(async {
        executor.pause_queue(REPORTS).await?;
        for n in 0..4 {
            let options = Start::new().queue(MAILS);
            executor.start_with(MAIL, &format!("mail-{n}"), n, options)?.accepted().await?;
        }
        let later = Start::new().queue(MAILS).delay(HOUR * 24 * 365 * 99);
        executor.start_with(MAIL, "mail-4", 4, later)?.accepted().await?;
        executor.start_with(MAIL, "report-1", 1, Start::new().queue(REPORTS))?.accepted().await?;
        executor.pause_schedule("daily", "the printer is \u{1b}[31mout of paper").await?;
        clock.sleep(HOUR * 2).await;
        dacapo::yield_now().await;
        Ok(())
    })
}

#[test]
fn queues_and_schedules_of_a_file_at_rest() {
    let folder = folder("lines");
    mails(&folder.join("mails.redb")).expect("they are made");
    let mut text = String::new();
    for args in [
        &["queues"][..],
        &["queues", "--json"],
        &["schedules"],
        &["schedules", "--json"],
        &["schedules", "--ascii"],
        &["list", "--state", "queued,delayed"],
        &["why", "mail-2"],
        &["why", "mail-4"],
        &["show", "mail-2"],
        &["list", "--json", "--prefix", "mail-2"],
        &["queues", "pause", "mails"],
        &["delete", "--state", "queued", "--dry-run"],
    ] {
        let called = dacapo(&folder, args);
        text.push_str(&format!("$ dacapo {}\n{}", args.join(" "), called.out));
        called.err.lines().for_each(|line| text.push_str(&format!("! {line}\n")));
        if called.code != 0 {
            text.push_str(&format!("[{}]\n", called.code));
        }
        text.push('\n');
    }
    snapshot("lines.txt", &text);
    // What waits has not begun, so it is deleted like what has ended.
    let deleted = dacapo(&folder, &["delete", "mail-3", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    assert_eq!(dacapo(&folder, &["why", "mail-3"]).code, 3);
    let prune = dacapo(&folder, &["prune", "--keep", "0", "--dry-run"]);
    assert_eq!(prune.out, "mails.redb: 0 runs would be deleted\n", "{prune:?}");
}

#[test]
fn queues_and_schedules_of_a_process() {
    let folder = folder("lines-live");
    let live = Live::new(&folder.join("mails.redb"), build);
    let call = |args: &[&str]| dacapo(&folder, args);
    let paused = call(&["queues", "pause", "mails"]);
    assert_eq!(
        (&*paused.out, paused.code),
        ("mails is paused until: dacapo queues resume mails\n", 0)
    );
    let queues = call(&["queues", "--json"]).out;
    let mails = r#"{"kind":"queue","name":"mails","waiting":0,"delayed":0,"running":0,"paused":true,"defined":true}"#;
    assert_eq!(queues.lines().next(), Some(mails));
    assert_eq!(call(&["queues", "resume", "mails"]).out, "mails goes on\n");
    assert!(call(&["queues", "--json"]).out.contains(r#""paused":false"#));
    let unknown = call(&["queues", "pause", "letters"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");

    let paused = call(&["schedules", "pause", "hourly", "--why", "no paper"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    let schedules = call(&["schedules"]).out;
    assert!(schedules.contains("paused: no paper"), "{schedules}");
    assert_eq!(call(&["schedules", "resume", "hourly"]).out, "hourly goes on\n");
    let started = call(&["schedules", "trigger", "hourly", "--json"]);
    let started: serde_json::Value = serde_json::from_str(&started.out).expect("it is JSON");
    let id = started["id"].as_str().expect("it has one").to_owned();
    assert_eq!(call(&["why", &id]).code, 0);
    assert_eq!(call(&["schedules", "trigger", "weekly"]).code, 3);
    drop(live);
}
