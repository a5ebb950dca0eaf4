//! What threads share is made of these, and of nothing else.
//!
//! The model checks of `executor/models` compile the files that use them against a module of the
//! same name, whose parts run in every order that threads can take.

pub(crate) use alloc::sync::Arc;
pub(crate) use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};

pub(crate) use crossbeam_queue::SegQueue;
pub(crate) use futures::task::AtomicWaker;

/// So many bits of an atomic word are used. The models use two, and meet every border soon.
pub(crate) const WORD_BITS: usize = usize::BITS as usize;
