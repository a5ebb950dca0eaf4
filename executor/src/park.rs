//! Sleeping until a wake comes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Puts a thread to sleep until its waker is woken.
///
/// For loops that drive a [`FifoExecutor`](crate::FifoExecutor) themselves; see its
/// [`register`](crate::FifoExecutor::register).
///
/// ```
/// use std::thread;
///
/// use dacapo_executor::Parker;
///
/// let parker = Parker::new();
/// let waker = parker.waker();
/// let thread = thread::spawn(move || waker.wake());
/// parker.park(); // Returns, whether the wake was earlier or comes later.
/// thread.join().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Parker {
    bed: Arc<Bed>,
}

#[derive(Debug, Default)]
struct Bed {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Parker {
    /// A parker whose waker has not been woken.
    pub fn new() -> Parker {
        Parker::default()
    }

    /// What ends the sleep, from any thread. All wakers of one parker are alike.
    pub fn waker(&self) -> Waker {
        Waker::from(self.bed.clone())
    }

    /// Sleeps until the waker is woken; not at all if it was since the last park.
    pub fn park(&self) {
        let woken = self.bed.lock();
        let mut woken = self.bed.changed.wait_while(woken, |woken| !*woken).expect(NO_PANIC);
        *woken = false;
    }

    /// Like [`park`](Parker::park), for about `timeout` at most.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use dacapo_executor::Parker;
    ///
    /// Parker::new().park_timeout(Duration::ZERO); // Returns without a wake.
    /// ```
    pub fn park_timeout(&self, timeout: Duration) {
        let woken = self.bed.lock();
        let waited = self.bed.changed.wait_timeout_while(woken, timeout, |woken| !*woken);
        *waited.expect(NO_PANIC).0 = false;
    }
}

const NO_PANIC: &str = "nothing panics under this lock";

impl Bed {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.woken.lock().expect(NO_PANIC)
    }
}

impl Wake for Bed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.lock() = true;
        self.changed.notify_one();
    }
}
