//! A list whose first value needs no memory of its own: most runs have one task, which awaits one
//! operation.

use alloc::vec::{self, Vec};
use core::{iter, mem, option, slice};

/// Values in the order in which they came.
#[derive(Default)]
pub(crate) enum List<T> {
    #[default]
    Empty,
    One(T),
    Many(Vec<T>),
}

impl<T> List<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::Empty => &[],
            Self::One(value) => slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::One(_) => false,
            Self::Many(values) => values.is_empty(),
        }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::Empty => &mut [],
            Self::One(value) => slice::from_mut(value),
            Self::Many(values) => values,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        match self {
            Self::Empty => *self = Self::One(value),
            Self::One(_) => {
                let first = mem::take(self).into_iter();
                *self = Self::Many(first.chain([value]).collect());
            }
            Self::Many(values) => values.push(value),
        }
    }

    /// Removes a value, and moves the last one to its place.
    ///
    /// # Panics
    ///
    /// Panics if there is none at `index`.
    #[inline]
    pub(crate) fn swap_remove(&mut self, index: usize) -> T {
        match self {
            Self::Many(values) => values.swap_remove(index),
            one => match mem::take(one) {
                Self::One(value) if index == 0 => value,
                _ => panic!("a list has no value at {index}"),
            },
        }
    }

    /// How many values it has memory for beside itself.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::Many(values) => values.capacity(),
        }
    }

    /// Drops all values, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Many(values) => values.clear(),
            one => *one = Self::Empty,
        }
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = iter::Chain<option::IntoIter<T>, vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::Empty => (None, Vec::new()),
            Self::One(value) => (Some(value), Vec::new()),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many)
    }
}
