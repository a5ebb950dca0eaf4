//! Files with runs of every kind, the same each time: under virtual time, from one seed.

use std::path::Path;
use std::time::Duration;

use dacapo::sim::VirtualClock;
use dacapo::{
    Attempt, Builder, Channel, Ctx, Error, Executor, Limits, Queue, Result, Retry, Schedule,
    Secret, Start, Timestamp, Topic, Workflow, try_join, try_join_all, yield_now,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    customer: String,
    skus: Vec<String>,
    cents: u64,
    card: Secret<String>,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    charge: String,
    tracking: String,
}

const ORDER: Workflow<Order, Receipt> = Workflow::new("order");
const SHIPMENT: Workflow<u64, String> = Workflow::new("shipment");
const CRAWL: Workflow<u64, u64> = Workflow::new("crawl");
const STUCK: Workflow<(), ()> = Workflow::new("stuck");
const NAP: Workflow<u64, ()> = Workflow::new("nap");
const REMOTE: Workflow<(), String> = Workflow::new("remote");
const APPROVAL: Channel<bool> = Channel::new("approval");
const STATUS: Topic<String> = Topic::new("status");

const MS: Duration = Duration::from_millis(1);
const PATIENT: Retry = Retry::exponential(Duration::from_millis(200)).max_attempts(5);

/// A step that takes so long, after some attempts that fail.
fn takes(
    clock: &VirtualClock,
    millis: u32,
    failures: u32,
) -> impl AsyncFn(Attempt) -> Result<String> + 'static {
    let clock = clock.clone();
    async move |attempt: Attempt| {
        clock.sleep(MS * millis).await;
        match attempt.number() <= failures {
            true => Err(Error::new(format_args!("timeout after {millis} ms"))),
            false => Ok(format!("ok after {millis} ms")),
        }
    }
}

async fn order(ctx: &Ctx, clock: &VirtualClock, order: Order) -> Result<Receipt> {
    let reserve = |(place, sku): (usize, &String)| {
        let body = takes(clock, 380 + 40 * place as u32, place as u32);
        ctx.step_with("reserve", body).label(sku).retry(PATIENT)
    };
    let reserve = try_join_all(order.skus.iter().enumerate().map(reserve));
    let hold = ctx.step_with("hold", {
        let (hold, is_broke) = (takes(clock, 520, 0), order.cents > 1_000_000);
        async move |attempt: Attempt| match is_broke {
            true => Err(Error::new("card declined").permanent()),
            false => hold(attempt).await,
        }
    });
    try_join(reserve, hold).await?;
    ctx.publish(STATUS, "reserved".to_owned());
    if order.cents > 100_000 {
        ctx.timeout(Duration::from_secs(48 * 3600), ctx.receive(APPROVAL)).await?;
    }
    ctx.sleep(Duration::from_secs(24 * 3600)).await;
    let charge = ctx.step_with("capture", takes(clock, 900, 1)).retry(PATIENT).await?;
    let tracking = ctx.child(SHIPMENT, order.cents).await?;
    Ok(Receipt { charge, tracking })
}

async fn crawl(ctx: &Ctx, clock: &VirtualClock, pages: u64) -> Result<u64> {
    let fetch = |page: u64| {
        let fetch = takes(clock, 10 + (page % 7) as u32, u32::from(page % 50 == 9));
        let fetch = async move |attempt: Attempt| match page % 333 == 100 {
            true => Err(Error::new("no such page").permanent()),
            false => fetch(attempt).await,
        };
        ctx.step_with("fetch", fetch).retry(PATIENT)
    };
    let mut found = 0;
    for page in (0..pages).step_by(50) {
        let fetched = dacapo::join_all((page..pages.min(page + 50)).map(fetch)).await;
        found += fetched.iter().filter(|page| page.is_ok()).count() as u64;
    }
    Ok(found)
}

fn builder(clock: &VirtualClock) -> Builder {
    let (of_order, of_crawl, of_remote) = (clock.clone(), clock.clone(), clock.clone());
    Executor::builder()
        .clock(clock.clone())
        .seed(7)
        .build_id("1.0")
        .workflow(ORDER, async move |ctx: &Ctx, input| order(ctx, &of_order, input).await)
        .workflow(SHIPMENT, async |_: &Ctx, cents| Ok::<_, Error>(format!("1Z{cents}")))
        .workflow(CRAWL, async move |ctx: &Ctx, pages| crawl(ctx, &of_crawl, pages).await)
        .workflow(STUCK, async |_: &Ctx, ()| -> Result<()> { panic!("no tea in stock") })
        .workflow(NAP, async |ctx: &Ctx, days| {
            match days {
                0 => drop(ctx.receive(APPROVAL).await),
                days => ctx.sleep(Duration::from_secs(days * 86_400)).await,
            }
            Ok::<_, Error>(())
        })
        .workflow(REMOTE, async move |ctx: &Ctx, ()| {
            let ask = takes(&of_remote, 100, u32::MAX);
            let hourly = Retry::exponential(Duration::from_secs(3600));
            ctx.step_with("ask", ask).label("bank").retry(hourly).await
        })
}

/// The 25th of November 2020, 12:04:03 UTC.
const START: u64 = 1_606_305_843_000_000_000;

/// Runs of every kind: completed, failed, parked, asleep, waiting, tried again, under way.
pub(crate) fn orders(path: &Path) -> Result<()> {
    let clock = VirtualClock::new(Timestamp::from_nanos(START));
    let executor = builder(&clock).open(path)?;
    let order = |customer: &str, skus: &[&str], cents| Order {
        customer: customer.into(),
        skus: skus.iter().map(|sku| (*sku).to_owned()).collect(),
        cents,
        card: Secret::new("4111 1111".into()),
    };
    executor.block_on(async {
        let ada = Start::new().attribute("customer", "ada");
        let first = order("ada", &["tea", "cup", "pot"], 250_000);
        let first = executor.start_with(ORDER, "order-1001", first, ada)?;
        let broke = executor.start(ORDER, "order-1002", order("bob", &["tea"], 2_000_000))?;
        drop(executor.start(STUCK, "stuck-1", ())?);
        clock.sleep(MS * 10_000).await;
        executor.send("order-1001", APPROVAL, true).await?;
        assert!(broke.await.is_err());
        first.await?;
        executor.start(CRAWL, "crawl-1", 1_000)?.await?;
        for (id, days) in [("nap-1", 30), ("nap-2", 0)] {
            drop(executor.start(NAP, id, days)?);
        }
        drop(executor.start(REMOTE, "remote-1", ())?);
        clock.sleep(MS * 4_000_000).await;
        drop(executor.start(ORDER, "order-1003", order("eve", &["cup"], 700))?);
        clock.sleep(MS * 400).await;
        yield_now().await;
        Ok(())
    })
}

/// A run of three passes.
pub(crate) fn passes(path: &Path) -> Result<()> {
    const COUNT: Workflow<u64, u64> = Workflow::new("count");
    let count = async |ctx: &Ctx, n: u64| -> Result<u64> {
        let next = ctx.step("add", async move || Ok::<_, Error>(n + 1)).await?;
        if next == 3 { Ok(next) } else { ctx.again(COUNT, next).await }
    };
    let clock = VirtualClock::new(Timestamp::from_nanos(START));
    let executor = Executor::builder().clock(clock).workflow(COUNT, count).open(path)?;
    executor.block_on(executor.start(COUNT, "count-1", 0)?).map(|count| assert_eq!(count, 3))
}

/// What was written while the clock was two centuries ahead.
pub(crate) fn ahead(path: &Path) -> Result<()> {
    const TOO_LATE: u64 = START + 200 * 365 * 86_400 * 1_000_000_000;
    let clock = VirtualClock::new(Timestamp::from_nanos(TOO_LATE));
    let executor = builder(&clock).open(path)?;
    executor.block_on(executor.start(SHIPMENT, "ship-1", 5)?).map(drop)
}

/// A run that failed, since its process ended in a step that runs at most once; and one that hangs there.
pub(crate) fn interrupted(path: &Path) -> Result<()> {
    const WIRE: Workflow<(), ()> = Workflow::new("wire");
    let wire = async |ctx: &Ctx, ()| -> Result<()> {
        ctx.step("wire", async || std::future::pending::<Result<()>>().await).at_most_once().await
    };
    let clock = VirtualClock::new(Timestamp::from_nanos(START));
    let executor = Executor::builder().clock(clock.clone()).workflow(WIRE, wire).open(path)?;
    let run = executor.start(WIRE, "wire-1", ())?;
    executor.block_on(async {
        run.accepted().await?;
        for _ in 0..10 {
            yield_now().await;
        }
        Ok::<_, Error>(())
    })?;
    drop((run, executor));
    let executor = Executor::builder().clock(clock).workflow(WIRE, wire).open(path)?;
    let run = executor.attach(WIRE, "wire-1")?;
    assert!(executor.block_on(run).is_err_and(|error| error.is_interrupted()));
    Ok(())
}

const QUEUE: Queue = Queue::new(HOSTILE);
const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[2J\u{9b}1m\r\n\u{202e}\"'";

/// A run whose every text wants to be obeyed.
pub(crate) fn hostile(path: &Path) -> Result<()> {
    let workflow: Workflow<String, String> = Workflow::new(HOSTILE);
    let channel: Channel<String> = Channel::new(HOSTILE);
    let topic: Topic<String> = Topic::new(HOSTILE);
    let run = async move |ctx: &Ctx, text: String| -> Result<String> {
        let same = text.clone();
        ctx.step(HOSTILE, async move || Ok::<_, Error>(same.clone())).label(&text).await?;
        let refused = ctx.step(HOSTILE, async || Err::<(), _>(Error::new(HOSTILE).permanent()));
        drop(refused.await);
        ctx.publish(topic, text.clone());
        ctx.receive(channel).await;
        match text.len() > HOSTILE.len() {
            true => panic!("{HOSTILE}"),
            false => Err(Error::new(text)),
        }
    };
    let executor = Executor::builder()
        .clock(VirtualClock::new(Timestamp::from_nanos(START)))
        .build_id(HOSTILE)
        .workflow(workflow, run)
        .queue(QUEUE, Limits::new())
        .schedule(HOSTILE, Schedule::every(Duration::from_secs(3600)), workflow, |_| HOSTILE.into())
        .open(path)?;
    executor.block_on(async {
        executor.pause_queue(QUEUE).await?;
        executor.pause_schedule(HOSTILE, HOSTILE).await?;
        let waits = Start::new().queue(QUEUE);
        executor.start_with(workflow, "waits", HOSTILE.into(), waits)?.accepted().await?;
        for id in [HOSTILE.to_owned(), format!("{HOSTILE}-2")] {
            let options = Start::new().attribute(HOSTILE, HOSTILE);
            let run = executor.start_with(workflow, &id, id.clone(), options)?;
            run.accepted().await?;
            executor.send(&id, channel, HOSTILE.to_owned()).key(HOSTILE).await?;
            drop(run.await);
        }
        Ok(())
    })
}

pub(crate) const fn hostile_id() -> &'static str {
    HOSTILE
}
