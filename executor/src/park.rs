//! Blocking a thread until a wake comes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Blocks a thread until its waker is woken.
///
/// For loops that drive a [`FifoExecutor`](crate::FifoExecutor) themselves; see
/// [`Raw::register`](crate::raw::Raw::register).
///
/// ```
/// use std::thread;
///
/// use dacapo_executor::raw::Parker;
///
/// let parker = Parker::new();
/// let waker = parker.waker();
/// let thread = thread::spawn(move || waker.wake());
/// parker.park(); // Returns, whether the wake was earlier or comes later.
/// thread.join().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Parker {
    unparker: Arc<Unparker>,
}

#[derive(Debug, Default)]
struct Unparker {
    is_woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    /// A parker whose waker has not been woken.
    pub fn new() -> Parker {
        Parker::default()
    }

    /// Unparks the thread, from any other. All wakers of one parker are alike.
    ///
    /// ```
    /// use dacapo_executor::raw::Parker;
    ///
    /// let parker = Parker::new();
    /// assert!(parker.waker().will_wake(&parker.waker()));
    /// ```
    pub fn waker(&self) -> Waker {
        Waker::from(self.unparker.clone())
    }

    /// Blocks until the waker is woken; not at all if it was since the last park.
    ///
    /// ```
    /// use dacapo_executor::raw::Parker;
    ///
    /// let parker = Parker::new();
    /// parker.waker().wake();
    /// parker.park(); // Returns at once.
    /// ```
    pub fn park(&self) {
        let is_woken = self.unparker.lock();
        let woken = self.unparker.changed.wait_while(is_woken, |is_woken| !*is_woken);
        *woken.expect(NO_PANIC) = false;
    }

    /// Like [`park`](Parker::park), for about `timeout` at most.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dacapo_executor::raw::Parker;
    ///
    /// Parker::new().park_timeout(Duration::ZERO); // Returns without a wake.
    /// ```
    pub fn park_timeout(&self, timeout: Duration) {
        let is_woken = self.unparker.lock();
        let changed = &self.unparker.changed;
        let waited = changed.wait_timeout_while(is_woken, timeout, |is_woken| !*is_woken);
        *waited.expect(NO_PANIC).0 = false;
    }
}

const NO_PANIC: &str = "nothing panics under this lock";

impl Unparker {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_woken.lock().expect(NO_PANIC)
    }
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.lock() = true;
        self.changed.notify_one();
    }
}
