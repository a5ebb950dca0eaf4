//! What parts of several tasks share: channels and locks of the crate `futures`.

use std::collections::VecDeque;

use super::{Model, Wake};

/// An unbounded channel; a oneshot is one that is closed after its only item.
#[derive(Default)]
pub(super) struct Channel {
    items: VecDeque<u64>,
    closed: bool,
    waker: Option<Wake>,
}

/// Nobody hands it on: whoever asks first when it is free has it, and the first in the list is
/// woken to ask.
#[derive(Default)]
pub(super) struct Lock {
    held: bool,
    pub(super) value: u64,
    /// A place that becomes free is the next to be used. `None` is a waiter that was woken.
    waiters: Vec<Option<Option<Wake>>>,
    free: Vec<usize>,
}

impl Model {
    pub(super) fn open_channel(&mut self) -> usize {
        self.channels.push(Channel::default());
        self.channels.len() - 1
    }

    pub(super) fn send(&mut self, channel: usize, item: u64) {
        self.channels[channel].items.push_back(item);
        self.wake_receiver(channel);
    }

    /// Sends the only item: one wake for the item and the end.
    pub(super) fn send_only(&mut self, channel: usize, item: u64) {
        self.channels[channel].items.push_back(item);
        self.close(channel);
    }

    pub(super) fn close(&mut self, channel: usize) {
        self.channels[channel].closed = true;
        self.wake_receiver(channel);
    }

    fn wake_receiver(&mut self, channel: usize) {
        let waker = self.channels[channel].waker.take();
        waker.into_iter().for_each(|waker| self.wake(waker));
    }

    /// The receiver of a oneshot takes its waker with it when it is dropped.
    pub(super) fn drop_only_receiver(&mut self, channel: usize) {
        self.channels[channel].waker = None;
    }

    /// `Some(None)`: there will be no more.
    pub(super) fn receive(&mut self, channel: usize, wake: Wake) -> Option<Option<u64>> {
        let channel = &mut self.channels[channel];
        match channel.items.pop_front() {
            None if !channel.closed => {
                channel.waker = Some(wake);
                None
            }
            item => Some(item),
        }
    }

    /// Takes a lock, or waits for it in the place `key`.
    pub(super) fn lock(&mut self, lock: usize, key: &mut Option<usize>, wake: Wake) -> bool {
        let lock = &mut self.locks[lock];
        if !std::mem::replace(&mut lock.held, true) {
            if let Some(key) = key.take() {
                lock.waiters[key] = None;
                lock.free.push(key);
            }
            return true;
        }
        let place = key.unwrap_or_else(|| {
            lock.free.pop().unwrap_or_else(|| {
                lock.waiters.push(None);
                lock.waiters.len() - 1
            })
        });
        *key = Some(place);
        lock.waiters[place] = Some(Some(wake));
        false
    }

    pub(super) fn unlock(&mut self, lock: usize) {
        self.locks[lock].held = false;
        self.wake_waiter(lock);
    }

    /// One who waits for a lock is dropped; if it was its turn, it is the next one's.
    pub(super) fn stop_waiting(&mut self, lock: usize, key: usize) {
        let waiter = self.locks[lock].waiters[key].take();
        self.locks[lock].free.push(key);
        if waiter == Some(None) {
            self.wake_waiter(lock);
        }
    }

    fn wake_waiter(&mut self, lock: usize) {
        let first = self.locks[lock].waiters.iter_mut().flatten().next();
        let woken = first.and_then(Option::take);
        woken.into_iter().for_each(|waker| self.wake(waker));
    }
}
