use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::{Shared, admit};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::instance::PostWhat;
use crate::message::Message;
use crate::record::Outcome;
use crate::watch::{Waiting, Watch};

/// Something that was asked of an executor, and a future that is ready when it is committed.
///
/// It is asked for when the future is first polled, and is carried out whether or not the future is
/// polled again. It moves on while the executor is driven.
///
/// # Errors
///
/// If it could not be done, or the executor stopped before the commit.
#[must_use = "nothing is asked for unless it is awaited"]
pub struct Posted(State);

enum State {
    Unposted(Weak<Shared>, Box<Post>),
    ToRun(Weak<Shared>, Rc<str>, PostWhat),
    /// It cannot be asked for.
    Unfit(Error),
    Waiting(Waiting),
    /// It was refused, and that was told.
    Refused,
}

type Post = dyn FnOnce(&Engine) -> Result<Rc<Watch>>;

impl Posted {
    /// `post` gives where to wait for the commit.
    pub(super) fn new(
        shared: &Rc<Shared>,
        post: impl FnOnce(&Engine) -> Result<Rc<Watch>> + 'static,
    ) -> Self {
        Self(State::Unposted(Rc::downgrade(shared), Box::new(post)))
    }

    /// Something that was asked for already, or cannot be.
    #[cfg(feature = "export")]
    pub(super) fn of(posted: Result<Rc<Watch>>) -> Self {
        Self(match posted {
            Ok(watch) => State::Waiting(Waiting::new(watch)),
            Err(why) => State::Unfit(why),
        })
    }

    /// Something for a run.
    pub(super) fn to_run(shared: &Rc<Shared>, to: &str, what: PostWhat) -> Self {
        Self(State::ToRun(Rc::downgrade(shared), to.into(), what))
    }

    pub(super) fn message(shared: &Rc<Shared>, to: &str, message: Result<Message>) -> Self {
        match message {
            Ok(message) => Self::to_run(shared, to, PostWhat::Message(message)),
            Err(error) => Self(State::Unfit(error)),
        }
    }

    pub(super) fn with_key(mut self, key: Rc<str>) -> Self {
        if let State::ToRun(_, _, PostWhat::Message(message)) = &mut self.0 {
            message.key = Some(key);
        }
        self
    }

    /// The same for what has an answer.
    pub(super) fn poll_answer(&mut self, cx: &Context<'_>) -> Poll<Result<Outcome<'static>>> {
        self.post()?;
        self.waiting().poll_ended(cx)
    }

    fn waiting(&self) -> &Waiting {
        match &self.0 {
            State::Waiting(waiting) => waiting,
            State::Unposted(..) | State::ToRun(..) | State::Unfit(_) | State::Refused => {
                unreachable!("it has just been asked for")
            }
        }
    }

    /// Asks for it, if that was not done.
    fn post(&mut self) -> Result<()> {
        if matches!(self.0, State::Waiting(_)) {
            return Ok(());
        }
        let shared = |shared: Weak<Shared>| {
            let gone = || Error::of(Kind::Closed, "the executor was dropped");
            let shared = shared.upgrade().ok_or_else(gone)?;
            shared.engine.check().map(|()| shared)
        };
        let watch = match mem::replace(&mut self.0, State::Refused) {
            State::Unposted(weak, post) => post(&shared(weak)?.engine)?,
            State::ToRun(weak, to, what) => {
                let shared = shared(weak)?;
                let done = match &what {
                    PostWhat::Message(message) if message.is_question => "asked",
                    PostWhat::Message(_) => "sent to",
                    PostWhat::Cancel(_) | PostWhat::Skip(_) => "asked to end",
                    PostWhat::Resubmit(_) => "moved",
                };
                admit(&shared.engine, format_args!("run {to:?} cannot be {done}"))?;
                shared.engine.post(to, what)
            }
            State::Unfit(error) => return Err(error),
            State::Waiting(_) | State::Refused => panic!("it was polled after it was ready"),
        };
        self.0 = State::Waiting(Waiting::new(watch));
        Ok(())
    }
}

impl Future for Posted {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.post()?;
        self.waiting().poll_accepted(cx)
    }
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posted").finish_non_exhaustive()
    }
}
