//! Promise 5, where tasks hold each other's handles in a chain of any length.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use dacapo_executor::{FifoExecutor, Task};

use crate::trace::{Trace, on_drop};

const LONG: usize = 100_000;

/// Spawns a chain of tasks, the last first; each holds the next, and calls `f` with its number when
/// it is dropped.
fn chain(executor: &FifoExecutor, length: usize, f: impl Fn(usize) + Clone + 'static) -> Task<()> {
    let mut next = None;
    for number in (1..=length).rev() {
        let f = f.clone();
        let guard = on_drop(move || f(number));
        let held = next.take();
        next = Some(executor.spawn(async move {
            let _guard = guard;
            let _held = held;
            std::future::pending::<()>().await;
        }));
    }
    next.expect("a chain has a first task")
}

/// A thread whose stack would not do for a chain of drops one within the other.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(f);
    thread.expect("there is memory").join().expect("it has stack enough");
}

fn counted() -> (Rc<Cell<usize>>, impl Fn(usize) + Clone + 'static) {
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    (dropped, move |_| count.set(count.get() + 1))
}

#[test]
fn promise_5_a_chain_of_any_length_is_dropped_there_and_then() {
    on_a_small_stack(|| {
        let (executor, (dropped, count)) = (FifoExecutor::new(), counted());
        let first = chain(&executor, LONG, count);
        executor.run_until_stalled();
        drop(first);
        assert_eq!(dropped.get(), LONG);
        assert_eq!(executor.run_until_stalled(), 0);
    });
}

#[test]
fn promise_5_a_task_that_ends_drops_a_chain_of_any_length() {
    on_a_small_stack(|| {
        let (executor, (dropped, count)) = (FifoExecutor::new(), counted());
        let first = chain(&executor, LONG, count);
        executor.block_on(async move { drop(first) });
        assert_eq!(dropped.get(), LONG);
    });
}

#[test]
fn promise_5_teardown_drops_a_chain_of_any_length() {
    on_a_small_stack(|| {
        let (executor, (dropped, count)) = (FifoExecutor::new(), counted());
        chain(&executor, LONG, count).detach();
        executor.run_until_stalled();
        executor.raw().close();
        assert_eq!(dropped.get(), LONG);
    });
}

fn names(numbers: impl Iterator<Item = usize>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn promise_5_a_chain_is_dropped_from_its_end_and_a_longer_one_in_the_order_of_a_queue() {
    for (length, order) in [
        // The last first, as each is gone before whoever holds it goes on.
        (32, names((1..=32).rev())),
        // Below the thirty-second each goes after whoever held it.
        (40, names((32..=40).chain((1..=31).rev()))),
    ] {
        let (executor, trace) = (FifoExecutor::new(), Trace::default());
        let log = trace.clone();
        let first = chain(&executor, length, move |number| log.log(number));
        executor.run_until_stalled();
        drop(first);
        assert_eq!(trace.take(), order);
    }
}

#[test]
fn promise_5_a_chain_goes_on_when_a_drop_panics() {
    for panics in [7, 32, 33, 60, 100] {
        let (executor, (dropped, count)) = (FifoExecutor::new(), counted());
        let first = chain(&executor, 100, move |number| {
            count(number);
            assert!(number != panics, "on purpose");
        });
        executor.run_until_stalled();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(first))).is_err());
        assert_eq!(dropped.get(), 100);
        // And the next chain is dropped like any other.
        let (dropped, count) = counted();
        drop(chain(&executor, 100, count));
        assert_eq!(dropped.get(), 100);
    }
}
