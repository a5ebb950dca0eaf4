//! The programs as workflows: what each part is in ordinary async Rust.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, UNIX_EPOCH};

use dacapo::sim::Sim;
use dacapo::{
    Attempt, Builder, Ctx, Error, Executor, Result, Table, Workflow, join, join_all, race,
    try_join, try_join_all, yield_now,
};
use futures::channel::{mpsc, oneshot};
use futures::future::LocalBoxFuture;
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, StreamExt};

use super::language::{
    BOOK, Body, Buffered, Code, Kind, LIMIT, LOCKS, Lib, Pipe, Step, Unordered, Value, Why,
    body_value, failure_value, flat, fold, label, mix, report_value,
};
use super::shaped::Shaped;
use super::talk::{self, FAILING, Outside, TOPICS, WORKFLOWS};

/// What a program gives: its value, and all that it saw, in order.
pub(crate) type Output = (u64, Vec<(u16, u64)>);

pub(crate) const WORKFLOW: Workflow<u64, Output> = Workflow::new("program");

/// Registers a program in a process.
pub(crate) fn build(program: &Code, sim: &Sim) -> Builder {
    let (program, sim) = (program.clone(), sim.clone());
    Executor::builder().workflow(WORKFLOW, async move |ctx: &Ctx, x: u64| -> Result<Output> {
        let shared = Shared::new(&sim, 0, &Rc::default());
        carry_out(&shared, ctx, &program, x).await
    })
}

/// Registers one of the programs of a world.
pub(crate) fn add(
    builder: Builder,
    (workflow, program): (usize, &Code),
    sim: &Sim,
    outside: &Rc<Outside>,
) -> Builder {
    let (program, sim, outside) = (program.clone(), sim.clone(), outside.clone());
    builder.workflow(WORKFLOWS[workflow], async move |ctx: &Ctx, x: u64| -> Result<Output> {
        let shared = Shared::new(&sim, workflow, &outside);
        let value = eval(&shared, ctx, &program, x).await;
        if workflow == FAILING && value.is_err() {
            return Err(Error::new("the program failed"));
        }
        Ok(shared.output(value))
    })
}

async fn carry_out(shared: &Shared, ctx: &Ctx, program: &Code, x: u64) -> Result<Output> {
    Ok(shared.output(eval(shared, ctx, program, x).await))
}

/// What the tasks of one run share.
#[derive(Clone)]
pub(super) struct Shared(Rc<State>);

struct State {
    sim: Sim,
    workflow: usize,
    outside: Rc<Outside>,
    seen: RefCell<Vec<(u16, u64)>>,
    futures: [futures::lock::Mutex<u64>; LOCKS],
    tokio: [tokio::sync::Mutex<u64>; LOCKS],
    /// Its mutex looks at the clock, so two replays may differ; its semaphore does not.
    async_lock: [(async_lock::Semaphore, Cell<u64>); LOCKS],
}

impl Shared {
    fn new(sim: &Sim, workflow: usize, outside: &Rc<Outside>) -> Self {
        Self(Rc::new(State {
            sim: sim.clone(),
            workflow,
            outside: outside.clone(),
            seen: RefCell::default(),
            futures: Default::default(),
            tokio: Default::default(),
            async_lock: std::array::from_fn(|_| (async_lock::Semaphore::new(1), Cell::default())),
        }))
    }

    fn saw(&self, site: u16, value: u64) {
        self.0.seen.borrow_mut().push((site, value));
    }

    fn output(&self, value: Value) -> Output {
        (flat(value), self.0.seen.borrow().clone())
    }

    pub(super) fn workflow(&self) -> usize {
        self.0.workflow
    }

    pub(super) fn outside(&self) -> &Outside {
        &self.0.outside
    }
}

pub(super) type Part<'a> = LocalBoxFuture<'a, Value>;

/// A part for a number. Steps, sleeps and timeouts are built here, all others when it is polled.
pub(super) fn eval<'a>(shared: &'a Shared, ctx: &'a Ctx, code: &'a Code, x: u64) -> Part<'a> {
    let part = part(shared, ctx, &code.kind, code.site, x);
    Box::pin(async move {
        let value = part.await;
        shared.saw(code.site, flat(value));
        value
    })
}

fn part<'a>(shared: &'a Shared, ctx: &'a Ctx, kind: &'a Kind, site: u16, x: u64) -> Part<'a> {
    match kind {
        Kind::Step(spec) => Box::pin(step(shared, ctx, spec, x).map(value_of)),
        Kind::Sleep(millis) => Box::pin(ctx.sleep(ms(*millis)).map(move |()| Ok(x))),
        Kind::Timeout(limit, code) => {
            let limited = ctx.timeout(ms(*limit), eval(shared, ctx, code, x));
            Box::pin(limited.map(move |value| value.unwrap_or(Err(x))))
        }
        Kind::Join(lib, codes) => Box::pin(joined(shared, ctx, *lib, codes, x)),
        Kind::TryJoin(lib, codes) => Box::pin(try_joined(shared, ctx, *lib, codes, x)),
        Kind::Race(lib, one, other) => Box::pin(async move {
            let one = eval(shared, ctx, one, mix(x, 0));
            raced(*lib, one, eval(shared, ctx, other, mix(x, 1))).await
        }),
        Kind::SpawnAwait(..) | Kind::SpawnDetach(_) | Kind::SpawnAbort(..) => {
            Box::pin(spawned(shared, ctx, kind, x))
        }
        Kind::Unordered(set) => Box::pin(unordered(shared, ctx, set, site, x)),
        Kind::Buffered(set) => Box::pin(buffered(shared, ctx, set, site, x)),
        Kind::Pipe(pipe) => Box::pin(piped(shared, ctx, pipe, site, x)),
        Kind::Talk(talk) => talk::part(shared, ctx, talk, x),
        Kind::Lock(lib, lock, code) => Box::pin(locked(shared, ctx, *lib, *lock, code, x)),
        _ => Box::pin(plain(shared, ctx, kind, site, x)),
    }
}

async fn plain(shared: &Shared, ctx: &Ctx, kind: &Kind, site: u16, x: u64) -> Value {
    match kind {
        Kind::Yield => yield_now().await,
        Kind::Now => return Ok(nanos(ctx)),
        Kind::Random => return Ok(ctx.random()),
        Kind::Unused(spec) => drop(step(shared, ctx, spec, x)),
        Kind::Glimpsed(spec) => {
            let mut step = pin!(step(shared, ctx, spec, x));
            poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx).is_pending())).await;
        }
        Kind::Moved(spec) => {
            let step = step(shared, ctx, spec, x);
            return value_of(ctx.spawn(async move |_| step.await).await);
        }
        Kind::Shared(spec) => {
            let step = step(shared, ctx, spec, x).map(value_of).shared();
            let (one, other) = join(step.clone(), step).await;
            return Ok(fold([one, other]));
        }
        Kind::Seq(codes) => {
            let mut x = x;
            for code in codes {
                x = mix(x, eval(shared, ctx, code, x).await?);
            }
            return Ok(x);
        }
        Kind::Choose(even, odd) => {
            return eval(shared, ctx, if x.is_multiple_of(2) { even } else { odd }, x).await;
        }
        Kind::Oneshot(first, second) => return handed(shared, ctx, first, second, site, x).await,
        _ => unreachable!("the others have functions of their own"),
    }
    Ok(x)
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn nanos(ctx: &Ctx) -> u64 {
    let since = ctx.now().duration_since(UNIX_EPOCH).expect("runs begin after 1970");
    u64::try_from(since.as_nanos()).expect("runs end before 2554")
}

fn value_of(result: Result<Shaped>) -> Value {
    result.map(|value| value.0).map_err(|error| {
        let why = match () {
            () if error.is_interrupted() => Why::Interrupted,
            () if error.is_elapsed() => Why::Elapsed,
            () if error.is_permanent() => Why::Permanent,
            () => Why::Failed,
        };
        let message = error.to_string();
        failure_value(message.split(" failed").next().unwrap_or_default(), why)
    })
}

/// What transactions have booked.
const BOOKED: Table<String, u64> = Table::new(BOOK);

fn booking(ctx: &Ctx, spec: &Step, x: u64) -> dacapo::Step<Shaped> {
    let owned = spec.clone();
    ctx.transaction(spec.name, move |tx| -> Result<Shaped> {
        let booked = tx.get(BOOKED, BOOK).unwrap_or(0);
        tx.put(BOOKED, BOOK, &(booked + 1));
        match owned.body {
            Body::Overdrawn => Err(Error::new("no tea")),
            _ => Ok(Shaped(body_value(&owned, x))),
        }
    })
}

fn step(shared: &Shared, ctx: &Ctx, spec: &Step, x: u64) -> dacapo::Step<Shaped> {
    if spec.body.is_transaction() {
        return booking(ctx, spec, x);
    }
    let (sim, owned) = (shared.0.sim.clone(), spec.clone());
    let mut step = ctx.step_with(spec.name, async move |attempt: Attempt| -> Result<Shaped> {
        sim.note(&attempt);
        if let Some(topic) = owned.reports {
            attempt.publish(TOPICS[topic], report_value(x, attempt.number()));
        }
        match owned.body {
            Body::Instant => {}
            Body::Endless => pending().await,
            _ => sim.latency().await,
        }
        let error = Error::new("no tea");
        match owned.body.fails(attempt.number()) {
            true if owned.body == Body::Permanent => Err(error.permanent()),
            true => Err(error),
            false => Ok(Shaped(body_value(&owned, x))),
        }
    });
    if let Some(retry) = spec.body.retry() {
        step = step.retry(retry);
    }
    match spec.body {
        Body::Endless => step = step.timeout(LIMIT),
        Body::Once => step = step.at_most_once(),
        _ => {}
    }
    if spec.labelled { step.label(label(x)) } else { step }
}

/// Several parts in one task. Each is given a number that tells it from the others.
fn parts<'a>(
    shared: &'a Shared,
    ctx: &'a Ctx,
    codes: &'a [Code],
    x: u64,
) -> impl Iterator<Item = Part<'a>> {
    (0..).zip(codes).map(move |(index, code)| eval(shared, ctx, code, mix(x, index)))
}

const PAIR: &str = "a pair has two parts";

async fn joined(shared: &Shared, ctx: &Ctx, lib: Lib, codes: &[Code], x: u64) -> Value {
    let mut parts = parts(shared, ctx, codes, x);
    let values = match lib {
        Lib::DacapoAll => join_all(parts).await,
        Lib::FuturesAll => futures::future::join_all(parts).await,
        pair => {
            let (one, other) = (parts.next().expect(PAIR), parts.next().expect(PAIR));
            let (one, other) = match pair {
                Lib::Futures => futures::future::join(one, other).await,
                Lib::Tokio => tokio::join!(one, other),
                _ => join(one, other).await,
            };
            vec![one, other]
        }
    };
    Ok(fold(values))
}

async fn try_joined(shared: &Shared, ctx: &Ctx, lib: Lib, codes: &[Code], x: u64) -> Value {
    let mut parts = parts(shared, ctx, codes, x);
    if lib == Lib::DacapoAll {
        return try_join_all(parts).await.map(|values| fold(values.into_iter().map(Ok)));
    }
    let (one, other) = (parts.next().expect(PAIR), parts.next().expect(PAIR));
    let (one, other) = match lib {
        Lib::Futures => futures::future::try_join(one, other).await?,
        _ => try_join(one, other).await?,
    };
    Ok(fold([Ok(one), Ok(other)]))
}

async fn raced(lib: Lib, one: Part<'_>, other: Part<'_>) -> Value {
    match lib {
        Lib::Futures => {
            let (mut one, mut other) = (one.fuse(), other.fuse());
            futures::select_biased! {
                value = one => value,
                value = other => value,
            }
        }
        Lib::Tokio => tokio::select! {
            biased;
            value = one => value,
            value = other => value,
        },
        _ => race(one, other).await,
    }
}

async fn spawned(shared: &Shared, ctx: &Ctx, kind: &Kind, x: u64) -> Value {
    let spawn = |code: &Code| {
        let (shared, code) = (shared.clone(), code.clone());
        ctx.spawn(async move |ctx: &Ctx| eval(&shared, ctx, &code, mix(x, 2)).await)
    };
    match kind {
        Kind::SpawnDetach(code) => {
            spawn(code).detach();
            Ok(x)
        }
        Kind::SpawnAbort(code, meanwhile) => {
            let task = spawn(code);
            let value = eval(shared, ctx, meanwhile, x).await;
            drop(task);
            value
        }
        Kind::SpawnAwait(code, meanwhile) => {
            let task = spawn(code);
            let value = eval(shared, ctx, meanwhile, x).await;
            Ok(fold([value, task.await]))
        }
        _ => unreachable!("only tasks are spawned"),
    }
}

/// A member of a set, with its place among all that the set had.
async fn member(index: u64, part: Part<'_>) -> (u64, Value) {
    (index, part.await)
}

async fn unordered(shared: &Shared, ctx: &Ctx, spec: &Unordered, site: u16, x: u64) -> Value {
    let parts = (0..).zip(parts(shared, ctx, &spec.members, x));
    let mut set: FuturesUnordered<_> = parts.map(|(index, part)| member(index, part)).collect();
    let (mut x, mut count) = (x, spec.members.len() as u64);
    let mut again = spec.again.iter().flat_map(|(times, code)| (0..*times).map(move |_| code));
    while let Some((index, value)) = set.next().await {
        shared.saw(site, index);
        x = mix(x, flat(value));
        if let Some(code) = again.next() {
            set.push(member(count, eval(shared, ctx, code, x)));
            count += 1;
        }
        if let Some(code) = &spec.then {
            x = mix(x, flat(eval(shared, ctx, code, x).await));
        }
    }
    Ok(x)
}

async fn buffered(shared: &Shared, ctx: &Ctx, spec: &Buffered, site: u16, x: u64) -> Value {
    let members = stream::iter(0..spec.count);
    let members =
        members.map(|index| member(index, eval(shared, ctx, &spec.member, mix(x, index))));
    let mut set = match spec.ordered {
        true => members.buffered(spec.limit).boxed_local(),
        false => members.buffer_unordered(spec.limit).boxed_local(),
    };
    let mut x = x;
    while let Some((index, value)) = set.next().await {
        shared.saw(site, index);
        x = mix(x, flat(value));
        if let Some(code) = &spec.then {
            x = mix(x, flat(eval(shared, ctx, code, x).await));
        }
    }
    Ok(x)
}

enum Sender {
    Futures(mpsc::UnboundedSender<u64>),
    Tokio(tokio::sync::mpsc::Sender<u64>),
}

enum Receiver {
    Futures(mpsc::UnboundedReceiver<u64>),
    Tokio(tokio::sync::mpsc::Receiver<u64>),
}

fn channel(lib: Lib) -> (Sender, Receiver) {
    if lib == Lib::Tokio {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        return (Sender::Tokio(sender), Receiver::Tokio(receiver));
    }
    let (sender, receiver) = mpsc::unbounded();
    (Sender::Futures(sender), Receiver::Futures(receiver))
}

async fn produce(
    sender: Sender,
    shared: &Shared,
    ctx: &Ctx,
    (items, code): (u64, &Code),
    x: u64,
) -> Value {
    let mut sum = x;
    for item in 0..items {
        let value = flat(eval(shared, ctx, code, mix(x, item)).await);
        sum = mix(sum, value);
        // Whether somebody receives it makes no difference here.
        match &sender {
            Sender::Futures(sender) => drop(sender.unbounded_send(value)),
            Sender::Tokio(sender) => drop(sender.send(value).await),
        }
    }
    Ok(sum)
}

async fn consume(
    mut receiver: Receiver,
    shared: &Shared,
    ctx: &Ctx,
    (site, code): (u16, &Code),
    x: u64,
) -> Value {
    let mut sum = x;
    loop {
        let item = match &mut receiver {
            Receiver::Futures(receiver) => receiver.next().await,
            Receiver::Tokio(receiver) => receiver.recv().await,
        };
        let Some(item) = item else { return Ok(sum) };
        shared.saw(site, item);
        sum = mix(sum, flat(eval(shared, ctx, code, mix(sum, item)).await));
    }
}

async fn piped(shared: &Shared, ctx: &Ctx, pipe: &Pipe, site: u16, x: u64) -> Value {
    let (sender, receiver) = channel(pipe.lib);
    if !pipe.spawned {
        let producer = produce(sender, shared, ctx, (pipe.items, &pipe.produce), x);
        let consumer = consume(receiver, shared, ctx, (site, &pipe.consume), x);
        let (produced, consumed) = join(producer, consumer).await;
        return Ok(fold([produced, consumed]));
    }
    let (owned, items, code) = (shared.clone(), pipe.items, pipe.produce.clone());
    let task =
        ctx.spawn(async move |ctx: &Ctx| produce(sender, &owned, ctx, (items, &code), x).await);
    let consumed = consume(receiver, shared, ctx, (site, &pipe.consume), x).await;
    Ok(fold([consumed, task.await]))
}

async fn handed(
    shared: &Shared,
    ctx: &Ctx,
    first: &Code,
    second: &Code,
    site: u16,
    x: u64,
) -> Value {
    let (sender, receiver) = oneshot::channel();
    let give = async move {
        let value = eval(shared, ctx, first, x).await;
        let _ = sender.send(flat(value));
        value
    };
    let take = async move {
        let item = receiver.await.unwrap_or(x);
        shared.saw(site, item);
        eval(shared, ctx, second, mix(x, item)).await
    };
    let (given, taken) = join(give, take).await;
    Ok(fold([given, taken]))
}

async fn locked(shared: &Shared, ctx: &Ctx, lib: Lib, lock: usize, code: &Code, x: u64) -> Value {
    macro_rules! hold {
        ($locks:expr) => {{
            let mut held = $locks[lock].lock().await;
            let value = flat(eval(shared, ctx, code, mix(x, *held)).await);
            *held = mix(*held, value);
            Ok(*held)
        }};
    }
    match lib {
        Lib::Tokio => hold!(shared.0.tokio),
        Lib::AsyncLock => {
            let (permits, held) = &shared.0.async_lock[lock];
            let _permit = permits.acquire().await;
            let value = flat(eval(shared, ctx, code, mix(x, held.get())).await);
            held.set(mix(held.get(), value));
            Ok(held.get())
        }
        _ => hold!(shared.0.futures),
    }
}
