//! A panic ends its task and leaves the executor as it was.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;

use dacapo_executor::{FifoExecutor, raw, yield_now};

use crate::trace::{Event, Trace, on_drop};

fn tick(executor: &FifoExecutor) -> Result<bool, String> {
    catch_unwind(AssertUnwindSafe(|| executor.try_tick()))
        .map_err(|panic| panic.downcast::<&str>().map_or("?".into(), |text| text.to_string()))
}

#[test]
fn a_panic_comes_out_of_the_tick_and_ends_the_task() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let (guard, log) = (trace.on_drop("~task"), trace.clone());
    let task = executor.spawn(async move {
        let _guard = guard;
        yield_now().await;
        log.log("panics");
        panic!("on purpose");
    });
    let log = trace.clone();
    executor
        .spawn(async move {
            for _ in 0..2 {
                log.log("other");
                yield_now().await;
            }
        })
        .detach();
    assert_eq!([tick(&executor), tick(&executor)], [Ok(true), Ok(true)]);
    assert_eq!(tick(&executor), Err("on purpose".into()));
    assert!(task.is_finished());
    executor.run_until_stalled();
    assert_eq!(trace.take(), "other panics ~task other");
}

#[test]
fn whoever_awaits_a_task_that_panicked_waits_for_ever() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let (log, task) = (trace.clone(), executor.spawn(async { panic!("on purpose") }));
    executor
        .spawn(async move {
            task.await;
            log.log("never");
        })
        .detach();
    assert!(tick(&executor).is_err());
    executor.run_until_stalled();
    assert_eq!(trace.take(), "");
}

#[test]
fn what_a_panicking_poll_woke_stays_woken() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let event = Event::default();
    let (waits, log) = (event.clone(), trace.clone());
    executor
        .spawn(async move {
            waits.wait().await;
            log.log("woken");
        })
        .detach();
    executor.run_until_stalled();
    executor
        .spawn(async move {
            event.set();
            panic!("on purpose");
        })
        .detach();
    assert!(tick(&executor).is_err());
    executor.run_until_stalled();
    assert_eq!(trace.take(), "woken");
}

#[test]
fn a_drop_may_panic_at_the_end_of_a_task() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let guard = on_drop(|| panic!("on purpose"));
    let boxed = executor.raw().spawn_boxed(Box::pin(async move {
        let _guard = guard;
    }));
    let guard = on_drop(|| panic!("on purpose"));
    let aborted = executor.spawn(async move { drop(guard) });
    let log = trace.clone();
    executor.spawn(async move { log.log("other") }).detach();
    assert!(tick(&executor).is_err());
    assert!(
        catch_unwind(AssertUnwindSafe(|| executor.raw().abort(raw::task_id(&aborted)))).is_err()
    );
    assert!(!executor.raw().is_alive(boxed) && aborted.is_finished());
    assert_eq!(executor.run_until_stalled(), 1);
    assert_eq!(trace.take(), "other");
}

#[test]
fn a_panic_of_the_main_future_leaves_the_tasks() {
    let (executor, trace) = (FifoExecutor::new(), Trace::default());
    let log = trace.clone();
    executor
        .spawn(async move {
            log.log("a");
            yield_now().await;
            log.log("b");
        })
        .detach();
    let main = async { panic!("on purpose") };
    let end = catch_unwind(AssertUnwindSafe(|| executor.block_on::<()>(main)));
    assert!(end.is_err());
    executor.run_until_stalled();
    assert_eq!(trace.take(), "a b");
}

#[test]
fn a_panic_of_a_task_comes_out_of_block_on() {
    let executor = FifoExecutor::new();
    executor.spawn(async { panic!("on purpose") }).detach();
    let end = catch_unwind(AssertUnwindSafe(|| executor.block_on(std::future::pending::<()>())));
    assert!(end.is_err());
    assert_eq!(executor.block_on(async { 5 }), 5);
}

#[test]
fn a_handle_polled_after_its_output_panics() {
    let executor = FifoExecutor::new();
    let mut task = executor.spawn(async {});
    executor.block_on(&mut task);
    let again = catch_unwind(AssertUnwindSafe(|| executor.block_on(&mut task)));
    assert!(again.is_err());
}

/// A waker that counts, and then panics, when it is woken or when it is dropped.
#[derive(Default)]
struct Brittle {
    panics_at_wake: bool,
    panics_at_drop: bool,
    woken: Arc<AtomicU32>,
}

impl Wake for Brittle {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics_at_wake, "woken");
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!self.panics_at_drop || thread::panicking(), "dropped");
    }
}

impl Brittle {
    fn waker(panics_at_wake: bool, panics_at_drop: bool) -> (Waker, Arc<AtomicU32>) {
        let woken = Arc::<AtomicU32>::default();
        let brittle = Brittle { panics_at_wake, panics_at_drop, woken: woken.clone() };
        (Waker::from(Arc::new(brittle)), woken)
    }
}

/// A task that waits, and its waker.
fn waiting(executor: &FifoExecutor) -> Waker {
    let (give, given) = std::sync::mpsc::channel();
    let waits = std::future::poll_fn(move |cx| {
        let _ = give.send(cx.waker().clone());
        std::task::Poll::<()>::Pending
    });
    executor.spawn(waits).detach();
    executor.run_until_stalled();
    given.recv().expect("it was polled")
}

/// Whoever wakes a task, here or elsewhere, is not to blame for the wakers of loops that wait; and all of them
/// are woken, as often as they register.
#[test]
fn a_waker_of_a_loop_that_panics_when_it_is_woken() {
    let executor = FifoExecutor::new();
    let task = waiting(&executor);
    let (brittle, broken) = Brittle::waker(true, false);
    let (sound, woken) = Brittle::waker(false, false);
    let register = || {
        executor.raw().register(&brittle);
        executor.raw().register(&sound);
    };
    let both = |times: u32| {
        assert_eq!((broken.load(Ordering::SeqCst), woken.load(Ordering::SeqCst)), (times, times));
    };
    register();
    let elsewhere = thread::spawn(move || {
        task.wake();
        raw::caught_panics()
    });
    assert_eq!(elsewhere.join().expect("it does not panic"), 1);
    both(1);
    assert_eq!(executor.run_until_stalled(), 1);
    register();
    executor.spawn(async {}).detach();
    both(2);
    assert_eq!(executor.run_until_stalled(), 1);
    register();
    executor.raw().notify();
    both(3);
    assert_eq!(raw::caught_panics(), 2);
}

#[test]
fn a_waker_of_a_loop_that_panics_when_it_is_dropped() {
    let executor = FifoExecutor::new();
    let (sound, woken) = Brittle::waker(false, false);
    for n in 1..4 {
        // Nobody else has it.
        let brittle = || Brittle::waker(false, true).0;
        let mut main = pin!(executor.run(std::future::pending::<()>()));
        // It goes when there is another in its place, or when its loop goes on.
        for waker in [brittle(), brittle(), sound.clone()] {
            let kept = std::mem::ManuallyDrop::new(waker);
            let polled = main.as_mut().poll(&mut Context::from_waker(&kept));
            assert!(polled.is_pending());
            // The loop's own is the last.
            let last =
                catch_unwind(AssertUnwindSafe(|| drop(std::mem::ManuallyDrop::into_inner(kept))));
            assert!(last.is_ok(), "the executor has another");
        }
        executor.spawn(async {}).detach();
        assert_eq!(woken.load(Ordering::SeqCst), n);
        assert_eq!(executor.run_until_stalled(), 1);
    }
    drop(executor);
    assert!(raw::caught_panics() > 0);
}
