use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::Shared;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
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
}

impl Future for Posted {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let State::Unposted(..) = self.0
            && let State::Unposted(shared, post) = core::mem::replace(&mut self.0, State::Refused)
        {
            let closed = || Error::of(Kind::Closed, "the executor was dropped");
            let shared = shared.upgrade().ok_or_else(closed);
            match shared.and_then(|shared| post(&shared.engine)) {
                Ok(watch) => self.0 = State::Waiting(Waiting::new(watch)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match &self.0 {
            State::Waiting(waiting) => waiting.poll_accepted(cx),
            State::Unposted(..) | State::Refused => panic!("it was polled after it was ready"),
        }
    }
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posted").finish_non_exhaustive()
    }
}
