//! The combinators: which branches were woken, while the task polls them.

use core::ops::ControlFlow::Continue;
use std::task::{Context, Waker};

use loom::thread;

use self::branch::Wakers;
use self::woken::WokenSet;
use crate::support::{Done, Wakes, check, check_three, join};
use crate::sync::Arc;

#[path = "../../src/combine/branch.rs"]
mod branch;
#[path = "../../src/combine/woken.rs"]
mod woken;

/// An empty set of numbers below `len`. It is `tidy` if nothing is left in its upper levels.
fn empty(len: usize, tidy: bool) -> Arc<WokenSet> {
    let set = WokenSet::full(len);
    (0..len).for_each(|number| assert_eq!(set.take(0), Some(number)));
    assert!(!tidy || set.is_empty());
    Arc::new(set)
}

/// Adds numbers in threads, takes some meanwhile, and looks whether each is found once.
fn check_adds(len: usize, tidy: bool, adds: &'static [&'static [usize]], takes: usize) {
    check_three(move || {
        let set = empty(len, tidy);
        let threads = adds.iter().map(|numbers| {
            let set = set.clone();
            thread::spawn(move || numbers.iter().for_each(|number| assert!(set.add(*number))))
        });
        let threads: Vec<_> = threads.collect();
        let mut taken: Vec<_> = (0..takes).filter_map(|_| set.take(0)).collect();
        join(threads);
        taken.extend(std::iter::from_fn(|| set.take(0)));
        taken.sort_unstable();
        let mut added = adds.concat();
        added.sort_unstable();
        assert_eq!(taken, added);
    });
}

#[test]
fn two_that_add_to_one_word_of_an_empty_set() {
    check_adds(4, true, &[&[2], &[3]], 1);
}

#[test]
fn two_that_add_to_one_word_whose_bit_above_is_still_set() {
    check_adds(4, false, &[&[2], &[3]], 1);
}

#[test]
fn two_that_add_to_words_of_one_bit_in_the_third_level() {
    check_adds(8, false, &[&[4], &[6]], 1);
}

#[test]
fn a_word_that_is_taken_and_added_to_again() {
    check_adds(4, true, &[&[2, 3]], 3);
}

/// The number is in the set already, so it is taken after it was added in vain.
#[test]
fn whoever_adds_in_vain_is_seen_by_whoever_takes() {
    check(|| {
        let (set, done) = (Arc::new(WokenSet::full(1)), Done::new());
        let (adds, does) = (set.clone(), done.clone());
        let thread = thread::spawn(move || {
            does.set();
            adds.add(0)
        });
        assert_eq!(set.take(0), Some(0));
        let seen = done.is_seen();
        let added = thread.join().expect("adding does not panic");
        assert!(added || seen);
        assert_eq!(set.take(0), added.then_some(0));
    });
}

#[test]
fn no_branch_that_is_woken_during_a_pass_is_forgotten() {
    check_three(|| {
        let (wakers, wakes) = (Wakers::new(3), Wakes::new());
        let mut kept: Vec<Waker> = Vec::new();
        let keep = |_: usize, cx: &mut Context<'_>| {
            kept.push(cx.waker().clone());
            Continue::<()>(())
        };
        let waker = wakes.waker();
        let mut cx = Context::from_waker(&waker);
        assert!(wakers.poll_woken(&mut cx, keep).is_continue());
        let done = [Done::new(), Done::new(), Done::new()];
        let threads = [0, 2].map(|branch: usize| {
            let (waker, done) = (kept[branch].clone(), done[branch].clone());
            thread::spawn(move || {
                done.set();
                waker.wake();
            })
        });
        let mut seen = [false; 3];
        let mut see = |branch: usize, _: &mut Context<'_>| {
            seen[branch] = done[branch].is_seen();
            assert!(seen[branch], "a branch is polled because it was woken");
            Continue::<()>(())
        };
        assert!(wakers.poll_woken(&mut cx, &mut see).is_continue());
        join(threads);
        let woken = wakes.count() > 0;
        if woken {
            assert!(wakers.poll_woken(&mut cx, &mut see).is_continue());
        }
        assert_eq!(seen, [true, false, true], "the task was woken: {woken}");
    });
}
