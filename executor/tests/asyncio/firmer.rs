//! What is a set's order, or a victim's next turn, in asyncio, and a promise here. The orders that
//! CPython gives were measured with 3.13.0.

use std::cell::RefCell;
use std::rc::Rc;

use dacapo_executor::{FifoExecutor, Task, join_all, race, yield_now};

use crate::interpret::{Counts, run};
use crate::program::bodies;

/// What happened so far.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<usize>>>);

/// Notes its number when it is dropped.
struct OnDrop(Log, usize);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.0.borrow_mut().push(self.1);
    }
}

const CHILDREN: usize = 100;

/// Spawns a hundred tasks that note their drop, in all states: never polled, queued, waiting. Their
/// slots are those of ended tasks, in another order.
fn spawn_children(executor: &FifoExecutor, log: &Log) -> Vec<Task<()>> {
    let mut early: Vec<Task<()>> =
        (0..CHILDREN).map(|_| executor.spawn(std::future::pending())).collect();
    while !early.is_empty() {
        drop(early.swap_remove(early.len() * 7 % 11 % early.len()));
    }
    let child = |number: usize| {
        let guard = OnDrop(log.clone(), number);
        executor.spawn(async move {
            let _guard = guard;
            if number.is_multiple_of(2) {
                yield_now().await;
            }
            std::future::pending().await
        })
    };
    let children = (0..CHILDREN).map(child).collect();
    for _ in 0..CHILDREN / 2 {
        executor.try_tick();
    }
    children
}

/// `TaskGroup` cancels what is left of a group in the order of a set: 2 5 0 3 6 1 4 7 for eight
/// children. Handles are dropped in the order in which they are held.
#[test]
fn children_are_cancelled_in_the_order_in_which_their_parent_holds_them() {
    let (executor, log) = (FifoExecutor::new(), Log::default());
    let children = spawn_children(&executor, &log);
    let parent = executor.spawn(async move {
        let _children = children;
        std::future::pending::<()>().await;
    });
    executor.run_until_stalled();
    drop(parent);
    assert_eq!(log.0.take(), Vec::from_iter(0..CHILDREN));
}

/// `asyncio.run` cancels what is left in the order of a weak set: 6 5 7 4 3 2 1 0.
#[test]
fn at_the_end_tasks_are_dropped_in_spawn_order() {
    let (executor, log) = (FifoExecutor::new(), Log::default());
    let mut children = spawn_children(&executor, &log);
    // Whoever holds them, in whatever order.
    children.reverse();
    executor.spawn(async move { drop(join_all(children).await) }).detach();
    executor.raw().close();
    assert_eq!(log.0.take(), Vec::from_iter(0..CHILDREN));
}

/// `asyncio.wait` gives the tasks that are done as a set: 1 4 7 2 5 0 3 6.
#[test]
fn of_two_tasks_that_are_done_the_race_gives_the_first_one_named() {
    let executor = FifoExecutor::new();
    for (first, second) in [(0, 1), (1, 0)] {
        let mut tasks = [0, 1].map(|number| Some(executor.spawn(async move { number })));
        executor.run_until_stalled();
        let mut take = |number: usize| tasks[number].take().expect("each is taken once");
        let winner = executor.spawn(race(take(first), take(second)));
        executor.run_until_stalled();
        assert_eq!(futures::executor::block_on(winner), first);
    }
}

/// However they end, `join_all` gives outputs and goes on in the order of its futures.
#[test]
fn joined_futures_that_are_woken_together_go_on_in_their_order() {
    let (executor, log) = (FifoExecutor::new(), Log::default());
    // They end in spawn order, so the first branch is woken last; the joiner's turn comes behind.
    let mut tasks: Vec<Task<()>> =
        (0..CHILDREN).map(|_| executor.spawn(async { yield_now().await })).collect();
    tasks.reverse();
    let branch = |(number, task): (usize, Task<()>)| {
        let log = log.clone();
        async move {
            task.await;
            log.0.borrow_mut().push(number);
        }
    };
    let branches: Vec<_> = tasks.into_iter().enumerate().map(branch).collect();
    executor.spawn(join_all(branches)).detach();
    executor.run_until_stalled();
    assert_eq!(log.0.take(), Vec::from_iter(0..CHILDREN));
}

/// `run_until_complete` ends with the iteration after the one in which its future ends, so the other
/// task goes on: 0 9 1. Here it has its next turn when the executor is next driven.
#[test]
fn the_end_of_the_main_future_is_the_last_poll() {
    let (executor, log) = (FifoExecutor::new(), Log::default());
    let (handle, main) = (executor.clone(), log.clone());
    futures::executor::block_on(executor.run(async move {
        let other = main.clone();
        let other = async move {
            for turn in 0..3 {
                other.0.borrow_mut().push(turn);
                yield_now().await;
            }
        };
        handle.spawn(other).detach();
        yield_now().await;
        main.0.borrow_mut().push(9);
    }));
    assert_eq!(log.0.take(), [0, 9]);
    executor.run_until_stalled();
    assert_eq!(log.0.take(), [1, 2]);
}

/// What `generate.py` leaves out (2a and 2b): task 1 is cancelled in the line for a lock, task 2 is
/// behind it, and task 3 is spawned after. Here the victim is forgotten at once, and task 2 is woken
/// before task 3 is queued; asyncio wakes it at the victim's turn, which gives `3. 2.`.
#[test]
fn a_victim_in_a_line_is_passed_over_at_once() {
    for root in ["unlock:0 kill:1", "kill:1 unlock:0"] {
        let program = format!("lock:0 yield {root} detach:3 | lock:0 | lock:0 | ");
        let trace = run(&bodies(&program), &mut Counts::new());
        assert_eq!(trace, "0.0 0.1 1.0 2.0 0.2 0.3 0.4 0. 2. 3.", "{program}");
    }
}
