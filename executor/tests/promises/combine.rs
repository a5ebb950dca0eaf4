//! The combinators: fixed order, a waker for each branch, and what is dropped when.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use dacapo_executor::{
    Either, FifoExecutor, join, join_all, race, select, try_join, try_join_all, yield_now,
};

use crate::trace::{Event, Trace, check, pause, waker};

/// Logs every poll, and its drop, and is ready after so many yields.
fn branch<T>(
    trace: &Trace,
    name: &'static str,
    yields: usize,
    output: T,
) -> impl Future<Output = T> + use<T> {
    let (trace, guard) = (
        trace.clone(),
        trace.on_drop(match name {
            "a" => "~a",
            "b" => "~b",
            "c" => "~c",
            _ => "~d",
        }),
    );
    async move {
        let _guard = guard;
        for _ in 0..yields {
            trace.log(name);
            yield_now().await;
        }
        trace.log(name);
        output
    }
}

/// Runs one future in a task and logs what it gives.
#[track_caller]
fn check_output<F>(expected: &str, program: impl FnOnce(&Trace) -> F)
where
    F: Future<Output: std::fmt::Debug> + 'static,
{
    check(expected, |executor, trace| {
        let (future, log) = (program(trace), trace.clone());
        executor
            .spawn(async move {
                let output = future.await;
                log.log(format_args!("{output:?}"));
            })
            .detach();
    });
}

#[test]
fn join_polls_in_order_and_drops_a_branch_when_it_is_ready() {
    check_output("a b ~b a a ~a (1,2)", |trace| {
        let both = join(branch(trace, "a", 2, 1), branch(trace, "b", 0, 2));
        async move { Compact(both.await) }
    });
}

/// Shows a pair without the blank, so that a trace stays a list of words.
struct Compact<A, B>((A, B));

impl<A: std::fmt::Debug, B: std::fmt::Debug> std::fmt::Debug for Compact<A, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:?},{:?})", self.0.0, self.0.1)
    }
}

#[test]
fn join_all_polls_in_order_and_gives_the_outputs_in_order() {
    check_output("a b c ~c a ~a b b ~b [1, 2, 3]", |trace| {
        join_all([branch(trace, "a", 1, 1), branch(trace, "b", 2, 2), branch(trace, "c", 0, 3)])
    });
    check_output("[]", |_| join_all(Vec::<std::future::Ready<()>>::new()));
}

#[test]
fn try_join_ends_at_the_first_error_and_drops_the_other() {
    check_output("a b ~b ~a Err(7)", |trace| {
        try_join(branch(trace, "a", 3, Ok::<u8, u8>(1)), branch(trace, "b", 0, Err::<u8, u8>(7)))
    });
    // The first one fails in its first poll: the second is never polled.
    check_output("a ~a ~b Err(7)", |trace| {
        try_join(branch(trace, "a", 0, Err::<u8, u8>(7)), branch(trace, "b", 0, Ok::<u8, u8>(1)))
    });
    check_output("a b ~b a ~a Ok((1, 2))", |trace| {
        try_join(branch(trace, "a", 1, Ok::<u8, u8>(1)), branch(trace, "b", 0, Ok::<u8, u8>(2)))
    });
}

#[test]
fn try_join_all_ends_at_the_first_error_in_index_order_and_drops_the_others_in_order() {
    check_output("a b c d a ~a b ~b ~c ~d Err(7)", |trace| {
        try_join_all(vec![
            branch(trace, "a", 1, Ok(1)),
            branch(trace, "b", 1, Err(7)),
            branch(trace, "c", 1, Err(8)),
            branch(trace, "d", 2, Ok(2)),
        ])
    });
    check_output("Ok([0, 1, 2])", |_| {
        try_join_all((0..3).map(|i| async move { Ok::<i32, ()>(i) }))
    });
}

#[test]
fn race_gives_the_first_that_is_ready_and_drops_the_other() {
    check_output("a b ~b ~a 2", |trace| race(branch(trace, "a", 1, 1), branch(trace, "b", 0, 2)));
    check_output("a ~a ~b 1", |trace| race(branch(trace, "a", 0, 1), branch(trace, "b", 0, 2)));
    // Both get ready in the same turn: the first one wins.
    check_output("a b a ~a ~b 1", |trace| race(branch(trace, "a", 1, 1), branch(trace, "b", 1, 2)));
}

#[test]
fn a_dropped_combinator_drops_its_branches_in_order() {
    let (a, b) = (("a", 9), ("b", 9));
    check("a b ~a ~b | a b c ~a ~b ~c", |executor, trace| {
        let both = join(branch(trace, a.0, a.1, ()), branch(trace, b.0, b.1, ()));
        let task = executor.spawn(both);
        executor.try_tick();
        drop(task);
        trace.log("|");
        let names = ["a", "b", "c"];
        let all: Vec<_> = names.iter().map(|name| branch(trace, name, 9, ())).collect();
        let task = executor.spawn(join_all(all));
        executor.try_tick();
        drop(task);
    });
}

#[test]
fn only_woken_branches_are_polled_again() {
    let executor = FifoExecutor::new();
    let polls: Rc<[Cell<usize>; 5]> = Rc::default();
    let events: Vec<Event> = (0..5).map(|_| Event::default()).collect();
    let branches = events.iter().cloned().enumerate().map({
        let polls = polls.clone();
        move |(index, event)| {
            let polls = polls.clone();
            let mut wait = Box::pin(async move { event.wait().await });
            poll_fn(move |cx| {
                polls[index].set(polls[index].get() + 1);
                wait.as_mut().poll(cx)
            })
        }
    });
    let task = executor.spawn(join_all(branches));
    executor.run_until_stalled();
    for index in [3, 0, 4] {
        events[index].set();
        assert_eq!(executor.run_until_stalled(), 1);
    }
    assert_eq!(polls.each_ref().map(Cell::get), [2, 1, 1, 2, 2]);
    events[1].set();
    events[2].set();
    assert_eq!(executor.run_until_stalled(), 1);
    assert!(task.is_finished());
}

#[test]
fn woken_branches_are_polled_in_index_order() {
    check("0 1 2 3 | 1 2 3", |executor, trace| {
        let events: Vec<Event> = (0..4).map(|_| Event::default()).collect();
        let waits = events.iter().cloned().enumerate().map({
            let trace = trace.clone();
            move |(index, event)| {
                let trace = trace.clone();
                async move {
                    trace.log(index);
                    event.wait().await;
                    trace.log(index);
                }
            }
        });
        executor.spawn(join_all(waits)).detach();
        executor.run_until_stalled();
        trace.log("|");
        for index in [3, 1, 2] {
            events[index].set();
        }
    });
}

#[test]
fn a_branch_woken_ahead_is_polled_in_the_same_turn_and_one_woken_behind_in_the_next() {
    check("first second:woken | turn first:woken", |executor, trace| {
        let (ahead, behind) = (Event::default(), Event::default());
        let (sets_ahead, waits_behind, log) = (ahead.clone(), behind.clone(), trace.clone());
        let start = Event::default();
        let starts = start.clone();
        let first = async move {
            let wakes = async {
                starts.wait().await;
                log.log("first");
                sets_ahead.set();
            };
            let waits = async {
                waits_behind.wait().await;
                log.log("first:woken");
            };
            join(wakes, waits).await;
        };
        let (log, handle) = (trace.clone(), executor.clone());
        let second = async move {
            ahead.wait().await;
            log.log("second:woken");
            behind.set();
            log.log("|");
            // It goes in between: the woken one waits for the task's next turn.
            handle.spawn(async move { log.log("turn") }).detach();
        };
        executor.spawn(join(first, second)).detach();
        executor.run_until_stalled();
        start.set();
    });
}

#[test]
fn a_pass_needs_no_turn_for_what_it_polls_itself() {
    let executor = FifoExecutor::new();
    let event = Event::default();
    let (sets, waits) = (event.clone(), event);
    let first = async move {
        pause_until_woken().await;
        sets.set();
    };
    let task = executor.spawn(join(first, async move { waits.wait().await }));
    // The first turn, and the one in which the first branch wakes the second.
    assert_eq!(executor.run_until_stalled(), 2);
    assert!(task.is_finished());
}

async fn pause_until_woken() {
    waker().await.wake();
    pause().await;
}

#[test]
fn a_branch_that_wakes_itself_for_ever_does_not_keep_the_turn() {
    check("other end", |executor, trace| {
        let (other, end) = (trace.clone(), trace.clone());
        let mut turns = 0;
        let busy = poll_fn(move |cx| {
            turns += 1;
            cx.waker().wake_by_ref();
            if turns < 1_000 { Poll::Pending } else { Poll::Ready(()) }
        });
        executor
            .spawn(async move {
                join(busy, async {}).await;
                end.log("end");
            })
            .detach();
        executor.spawn(async move { other.log("other") }).detach();
    });
}

#[test]
fn branches_may_move_to_another_task_between_polls() {
    check("moved [1, 2]", |executor, trace| {
        let event = Event::default();
        let (waits, log, handle) = (event.clone(), trace.clone(), executor.clone());
        let mut all = Box::pin(join_all([1, 2].map(move |value| {
            let event = waits.clone();
            async move {
                event.wait().await;
                value
            }
        })));
        executor
            .spawn(async move {
                poll_fn(|cx| {
                    assert!(all.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                handle
                    .spawn(async move {
                        log.log("moved");
                        log.log(format_args!("{:?}", all.await));
                    })
                    .detach();
            })
            .detach();
        executor.run_until_stalled();
        event.set();
    });
}

#[test]
fn a_branch_is_woken_from_another_thread() {
    let executor = FifoExecutor::new();
    let (sender, receiver) = futures::channel::oneshot::channel();
    let thread = std::thread::spawn(move || sender.send(5).expect("the branch waits"));
    let both = executor.block_on(join(receiver, std::future::ready(1)));
    assert_eq!(both, (Ok(5), 1));
    thread.join().expect("the thread only sends");
}

/// A future that counts its polls and leaves its waker; ready at the second poll.
fn counted(
    polls: &Rc<Cell<usize>>,
    wakers: &Rc<Cell<Vec<Waker>>>,
) -> impl Future<Output = ()> + use<> {
    let (polls, wakers, mut polled) = (polls.clone(), wakers.clone(), false);
    poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        if polled {
            return Poll::Ready(());
        }
        polled = true;
        let mut all = wakers.take();
        all.push(cx.waker().clone());
        wakers.set(all);
        Poll::Pending
    })
}

#[test]
fn join_all_of_100_000_polls_each_branch_once_a_wake() {
    const BRANCHES: usize = 100_000;
    let executor = FifoExecutor::new();
    let (polls, wakers) = (Rc::default(), Rc::default());
    let task = executor.spawn(join_all((0..BRANCHES).map(|_| counted(&polls, &wakers))));
    assert_eq!(executor.run_until_stalled(), 1);
    assert_eq!(polls.get(), BRANCHES);
    // One at a time, from the far end and in strides: a turn each, and a poll each.
    let mut wakers: Vec<Option<Waker>> = wakers.take().into_iter().map(Some).collect();
    for index in (0..BRANCHES).map(|i| (i * 7_919) % BRANCHES) {
        wakers[index].take().expect("strides meet every branch once").wake();
        assert_eq!(executor.run_until_stalled(), 1);
    }
    assert_eq!(polls.get(), 2 * BRANCHES);
    assert!(task.is_finished());
}

#[test]
fn select_says_which_was_first_and_drops_the_loser() {
    check_output("a b ~b ~a Second(2)", |trace| {
        select(branch(trace, "a", 3, "one"), branch(trace, "b", 0, 2))
    });
    check_output("a b a ~a ~b First(\"one\")", |trace| {
        select(branch(trace, "a", 1, "one"), branch(trace, "b", 3, 2))
    });
    // Both are ready in their first poll: the first one wins, and the second is never polled.
    check_output("a ~a ~b First(1)", |trace| {
        select(branch(trace, "a", 0, 1), branch(trace, "b", 0, "two"))
    });
}

/// The loser that is lent is not dropped, and goes on.
#[test]
fn a_loser_of_a_select_that_is_kept_goes_on() {
    check_output("a b ~b a ~a (2,1)", |trace| {
        let mut a = Box::pin(branch(trace, "a", 1, 1));
        let b = branch(trace, "b", 0, 2);
        async move {
            let Either::Second(b) = select(&mut a, b).await else { panic!("b was first") };
            Compact((b, a.await))
        }
    });
}
