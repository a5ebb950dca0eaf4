//! Room that the steps of all runs share: so many attempts at once, the others wait in their order.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::queue::Limit;

/// Of all limits of an executor, by their names.
#[derive(Default)]
pub(crate) struct Rooms {
    by_name: RefCell<BTreeMap<&'static str, Room>>,
    /// The number of who waits next.
    next: Cell<u64>,
}

#[derive(Default)]
struct Room {
    taken: usize,
    waiting: BTreeMap<u64, Waker>,
}

/// Waits for room. Those who wait come in the order of their first polls.
pub(crate) struct Waits {
    rooms: Rc<Rooms>,
    limit: Limit,
    number: Option<u64>,
}

/// Room for one attempt, until it is dropped.
pub(crate) struct Taken {
    rooms: Rc<Rooms>,
    name: &'static str,
}

impl Rooms {
    pub(crate) fn wait(self: &Rc<Self>, limit: Limit) -> Waits {
        Waits { rooms: self.clone(), limit, number: None }
    }

    /// Who waits first may go on. Wakers are called while nothing is borrowed.
    fn wake_first(&self, name: &'static str) {
        let first = {
            let by_name = self.by_name.borrow();
            by_name.get(name).and_then(|room| room.waiting.values().next().cloned())
        };
        if let Some(first) = first {
            first.wake();
        }
    }
}

impl Future for Waits {
    type Output = Taken;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Taken> {
        let this = &mut *self;
        let (rooms, name) = (this.rooms.clone(), this.limit.name());
        let number = *this.number.get_or_insert_with(|| rooms.next.replace(rooms.next.get() + 1));
        let _waker = {
            let by_name = &mut *rooms.by_name.borrow_mut();
            let room = by_name.entry(name).or_default();
            let is_first = room.waiting.keys().next().is_none_or(|first| *first >= number);
            if !is_first || room.taken >= this.limit.concurrency() {
                let _before = room.waiting.insert(number, cx.waker().clone());
                return Poll::Pending;
            }
            room.taken += 1;
            room.waiting.remove(&number)
        };
        this.number = None;
        // There may be more.
        rooms.wake_first(name);
        Poll::Ready(Taken { rooms, name })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let name = self.limit.name();
        let _waker = {
            let by_name = &mut *self.rooms.by_name.borrow_mut();
            by_name.get_mut(name).and_then(|room| room.waiting.remove(&number))
        };
        self.rooms.wake_first(name);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(room) = self.rooms.by_name.borrow_mut().get_mut(self.name) {
            room.taken -= 1;
        }
        self.rooms.wake_first(self.name);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const TWO: Limit = Limit::new("two", 2);

    fn poll(waits: &mut Waits) -> Option<Taken> {
        match Pin::new(waits).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        }
    }

    /// Never more than the limit, in the order of the first polls, whoever goes meanwhile.
    #[test]
    fn room_is_given_in_order() {
        let rooms = Rc::<Rooms>::default();
        let mut waits: Vec<_> = (0..5).map(|_| rooms.wait(TWO)).collect();
        let mut taken: Vec<_> = waits.iter_mut().map(poll).collect();
        assert_eq!(taken.iter().flatten().count(), 2);
        taken.remove(0);
        // The one that came later does not overtake.
        assert!(poll(&mut waits[3]).is_none());
        // The third goes away, so the fourth is the first.
        drop(waits.remove(2));
        let fourth = poll(&mut waits[2]).expect("there is room");
        assert!(poll(&mut waits[3]).is_none());
        drop((fourth, taken));
        assert!(poll(&mut waits[3]).is_some());
        drop(waits);
        assert!(rooms.by_name.borrow()["two"].waiting.is_empty());
        assert_eq!(rooms.by_name.borrow()["two"].taken, 0);
    }
}
