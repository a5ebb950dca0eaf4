//! The inbox: threads push, one loop drains, registers and parks.

use std::collections::VecDeque;

use loom::thread;

use crate::inbox::Inbox;
use crate::support::{Done, OTHER, TASK, Wakes, check, check_three, join};

#[test]
fn a_push_is_seen_before_parking_or_wakes_whoever_parks() {
    check_three(|| {
        let (inbox, wakes) = (Inbox::new(None), Wakes::new());
        let threads = [TASK, OTHER].map(|id| {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.push(id))
        });
        inbox.register(&wakes.waker());
        let parks = inbox.is_empty();
        join(threads);
        assert!(wakes.count() <= 1, "a registration is for one wake");
        assert!(!parks || wakes.count() == 1, "it parked, and nobody woke it");
    });
}

#[test]
fn whoever_registers_in_the_place_of_another_is_woken() {
    check(|| {
        let inbox = Inbox::new(None);
        let (first, second) = (Wakes::new(), Wakes::new());
        inbox.register(&first.waker());
        let pushes = inbox.clone();
        let thread = thread::spawn(move || pushes.push(TASK));
        inbox.register(&second.waker());
        let parks = inbox.is_empty();
        join([thread]);
        assert!(!parks || second.count() == 1, "it parked, and nobody woke it");
    });
}

#[test]
fn of_two_that_notify_one_wakes() {
    check(|| {
        let (inbox, wakes) = (Inbox::new(None), Wakes::new());
        inbox.register(&wakes.waker());
        let pushes = inbox.clone();
        let thread = thread::spawn(move || pushes.push(TASK));
        inbox.notify();
        join([thread]);
        assert_eq!(wakes.count(), 1);
    });
}

#[test]
fn what_is_pushed_during_a_drain_is_drained_in_its_order() {
    check(|| {
        let (inbox, done) = (Inbox::new(None), Done::new());
        let (pushes, does) = (inbox.clone(), done.clone());
        let thread = thread::spawn(move || {
            pushes.push(TASK);
            does.set();
            pushes.push(OTHER);
        });
        let mut drained = VecDeque::new();
        inbox.drain_into(&mut drained);
        assert!(drained.len() < 2 || done.is_seen(), "what came before a push comes with it");
        inbox.drain_into(&mut drained);
        join([thread]);
        inbox.drain_into(&mut drained);
        assert_eq!(drained, [TASK, OTHER]);
        assert!(inbox.is_clear());
    });
}

#[test]
fn a_registration_that_is_taken_back_hides_no_push() {
    check(|| {
        let (inbox, wakes) = (Inbox::new(None), Wakes::new());
        inbox.register(&wakes.waker());
        let pushes = inbox.clone();
        let thread = thread::spawn(move || pushes.push(TASK));
        inbox.deregister();
        let mut drained = VecDeque::new();
        inbox.drain_into(&mut drained);
        join([thread]);
        inbox.drain_into(&mut drained);
        assert_eq!(drained, [TASK]);
        assert!(!inbox.is_registered());
    });
}
