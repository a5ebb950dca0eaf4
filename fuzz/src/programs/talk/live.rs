//! What programs do with other runs, in ordinary async Rust.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, Waker};

use dacapo::{Cause, Ctx, Error, Result, Start};
use futures::FutureExt;

use super::super::language::{Value, flat, mix};
use super::super::live::{Output, Part, Shared, eval, ms};
use super::{
    Asked, CHANNELS, Child, First, Hold, IDS, KEYED, Letter, OF_A_RUN, PASSES, QUESTION, TOPICS,
    Talk, Then, WORKFLOWS,
};

/// What lies outside of the runs of a world.
#[derive(Default)]
pub(crate) struct Outside {
    /// Whether code that panics does so no more.
    pub(crate) is_mended: Cell<bool>,
    /// What runs gave away that they must not.
    pub(crate) wakers: RefCell<Vec<(String, Waker)>>,
}

/// Messages and receives are built here, all else when it is polled.
pub(crate) fn part<'a>(shared: &'a Shared, ctx: &'a Ctx, talk: &'a Talk, x: u64) -> Part<'a> {
    match talk {
        Talk::Send(letter) => Box::pin(send(ctx, letter, x).map(move |sent| sent_value(sent, x))),
        Talk::Receive(channel) => {
            Box::pin(ctx.receive(CHANNELS[*channel]).map(move |message| Ok(mix(x, message))))
        }
        _ => Box::pin(plain(shared, ctx, talk, x)),
    }
}

fn send(ctx: &Ctx, letter: &Letter, x: u64) -> dacapo::Sent {
    let sent = ctx.send(&letter.to.id(ctx.id()), CHANNELS[letter.channel], x | OF_A_RUN);
    if letter.channel == KEYED { sent.key(letter.key) } else { sent }
}

fn sent_value(sent: Result<()>, x: u64) -> Value {
    match sent {
        Ok(()) => Ok(x),
        Err(error) => Err(failure(&error)),
    }
}

pub(crate) fn failure(error: &Error) -> u64 {
    match () {
        () if error.is_not_found() => 11,
        () if error.is_ended() => 12,
        () if error.is_cancelled() => 13,
        () if error.is_parked() => 14,
        () => 15,
    }
}

fn child_value(ended: Result<Output>) -> Value {
    ended.map(|(value, _)| value).map_err(|error| failure(&error))
}

async fn plain(shared: &Shared, ctx: &Ctx, talk: &Talk, x: u64) -> Value {
    match talk {
        Talk::Glimpsed(letter) => {
            let mut sent = pin!(send(ctx, letter, x));
            let _ = futures::poll!(&mut sent);
            Ok(x)
        }
        Talk::Hold(hold) => held(shared, ctx, hold, x).await,
        Talk::Cancelled => Err(match ctx.cancelled().await {
            Cause::Asked => 1,
            Cause::Deadline => 2,
            Cause::Parent => 3,
            _ => 4,
        }),
        Talk::Shield(code) => ctx.shield(eval(shared, ctx, code, x)).await,
        Talk::Child(spec) => child(shared, ctx, spec, x).await,
        Talk::Again => match ctx.pass() {
            PASSES.. => Ok(x),
            pass => {
                let again = ctx.again(WORKFLOWS[shared.workflow()], mix(x, pass.into()));
                child_value(again.await)
            }
        },
        Talk::Panic => match shared.outside().is_mended.get() {
            true => Ok(x),
            // Without the hook of panics, which prints.
            false => std::panic::resume_unwind(Box::new("unmended")),
        },
        Talk::Exposed => {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            shared.outside().wakers.borrow_mut().push((ctx.id().into(), waker));
            Ok(x)
        }
        Talk::Publish(topic) => {
            ctx.publish(TOPICS[*topic], x);
            Ok(x)
        }
        Talk::Asked(spec) => asked(shared, ctx, spec, x).await,
        Talk::Send(_) | Talk::Receive(_) => unreachable!("they are built before"),
    }
}

async fn held(shared: &Shared, ctx: &Ctx, hold: &Hold, x: u64) -> Value {
    let mut receive = ctx.receive(CHANNELS[hold.channel]);
    if hold.polled
        && let Poll::Ready(message) = futures::poll!(&mut receive)
    {
        return Ok(mix(x, message));
    }
    let x = mix(x, flat(eval(shared, ctx, &hold.code, x).await));
    match hold.awaited {
        true => Ok(mix(x, receive.await)),
        false => Ok(x),
    }
}

async fn asked(shared: &Shared, ctx: &Ctx, spec: &Asked, x: u64) -> Value {
    let asked = ctx.receive(QUESTION).await;
    let mut x = mix(x, asked.question);
    if let Some(code) = &spec.code {
        x = mix(x, flat(eval(shared, ctx, code, x).await));
    }
    match spec.answered {
        true => asked.answer(ctx, x),
        false => drop(asked),
    }
    Ok(x)
}

async fn child(shared: &Shared, ctx: &Ctx, spec: &Child, x: u64) -> Value {
    let options = match spec.timeout_ms {
        Some(timeout) => Start::new().timeout(ms(timeout)),
        None => Start::new(),
    };
    let mut child = ctx.child_with(WORKFLOWS[spec.workflow], x, options);
    if let Some(name) = spec.name {
        child = child.id(IDS[name]);
    }
    match spec.first {
        First::Nothing => {}
        First::Polled => {
            if let Poll::Ready(ended) = futures::poll!(&mut child) {
                return child_value(ended);
            }
        }
        First::Started => child.started().await.map_err(|error| failure(&error))?,
    }
    let value = flat(eval(shared, ctx, &spec.code, x).await);
    match spec.then {
        Then::Awaited => return child_value(child.await).map(|ended| mix(value, ended)),
        Then::Dropped => drop(child),
        Then::Detached => child.detach(),
    }
    Ok(value)
}
