//! A map that is small for a run that awaits little, and quick for one that awaits much.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::list::List;

/// Values by the number of an operation, or whatever else they are told apart by.
#[expect(
    clippy::box_collection,
    reason = "an empty map beside the few would make every run larger"
)]
pub(crate) enum Table<K, T> {
    /// At most [`FEW`] values, in no order.
    Few(List<(K, T)>),
    /// In a box: most runs never have so many, and need no room for it.
    Many(Box<BTreeMap<K, T>>),
}

/// So many values are looked for one by one.
const FEW: usize = 8;

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Self::Few(List::default())
    }
}

impl<K: Ord + Copy, T> Table<K, T> {
    /// # Panics
    ///
    /// Panics if there is a value with this key.
    #[inline]
    pub(crate) fn insert(&mut self, key: K, value: T) {
        let before = self.replace(key, value);
        assert!(before.is_none(), "no two values have one key");
    }

    /// Gives the value that had this key before.
    #[inline]
    pub(crate) fn replace(&mut self, key: K, value: T) -> Option<T> {
        match self {
            Self::Few(few) if few.is_empty() => {
                few.push((key, value));
                None
            }
            Self::Few(_) | Self::Many(_) => self.replace_among(key, value),
        }
    }

    fn replace_among(&mut self, key: K, value: T) -> Option<T> {
        match self {
            Self::Few(few) => {
                let mut known = few.as_mut_slice().iter_mut();
                if let Some((_, known)) = known.find(|(known, _)| *known == key) {
                    return Some(core::mem::replace(known, value));
                }
                if few.as_slice().len() < FEW {
                    few.push((key, value));
                } else {
                    let few = core::mem::take(few).into_iter();
                    *self = Self::Many(Box::new(few.chain([(key, value)]).collect()));
                }
                None
            }
            Self::Many(many) => many.insert(key, value),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        self.remove_if(key, |_| true)
    }

    /// Removes a value that is the right one.
    #[inline]
    pub(crate) fn remove_if(&mut self, key: K, is_right: impl FnOnce(&T) -> bool) -> Option<T> {
        match self {
            Self::Few(few) => {
                let found = few.as_slice().iter().position(|(known, _)| *known == key);
                let index = found.filter(|&index| is_right(&few.as_slice()[index].1))?;
                Some(few.swap_remove(index).1)
            }
            Self::Many(many) => {
                let is_there = many.get(&key).is_some_and(is_right);
                let removed = is_there.then(|| many.remove(&key)).flatten();
                self.become_few();
                removed
            }
        }
    }

    /// Half as many, so that it does not change its form again and again.
    fn become_few(&mut self) {
        if let Self::Many(many) = self
            && many.len() <= FEW / 2
        {
            let many = core::mem::take(many);
            *self = Self::Few(List::default());
            many.into_iter().for_each(|(key, value)| self.insert(key, value));
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        match self {
            Self::Few(few) => {
                let mut few = few.as_slice().iter();
                few.find_map(|(known, value)| (*known == key).then_some(value))
            }
            Self::Many(many) => many.get(&key),
        }
    }

    /// Takes the value with the first key.
    pub(crate) fn pop_first(&mut self) -> Option<(K, T)> {
        let first = match self {
            Self::Few(few) => few.as_slice().iter().map(|&(key, _)| key).min()?,
            Self::Many(many) => *many.first_key_value()?.0,
        };
        self.remove(first).map(|value| (first, value))
    }

    /// All keys, in their order.
    pub(crate) fn keys(&self) -> Vec<K> {
        let mut keys: Vec<_> = match self {
            Self::Few(few) => few.as_slice().iter().map(|&(key, _)| key).collect(),
            Self::Many(many) => many.keys().copied().collect(),
        };
        keys.sort_unstable();
        keys
    }

    /// All keys and values, in the order of the keys.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (K, T)> {
        let (mut few, many) = match self {
            Self::Few(few) => (few, None),
            Self::Many(many) => (List::default(), Some(*many)),
        };
        few.as_mut_slice().sort_unstable_by_key(|&(key, _)| key);
        few.into_iter().chain(many.into_iter().flatten())
    }

    /// All values, in the order of their keys.
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.into_entries().map(|(_, value)| value)
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        let (few, many) = match self {
            Self::Few(few) => (few.as_slice(), None),
            Self::Many(many) => (&[][..], Some(many)),
        };
        let many = many.into_iter().flat_map(|many| many.values());
        few.iter().map(|(_, value)| value).chain(many)
    }

    /// Whether there are so few values that they are looked for one by one.
    pub(crate) fn is_small(&self) -> bool {
        matches!(self, Self::Few(_))
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use crate::record::Number;

    /// Random insertions and removals, at sizes around the change of form, beside a plain map.
    #[test]
    fn is_a_map() {
        for seed in 0..200 {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for index in 0..200 {
                let bits = random::mix(seed, index);
                let number = Number { task: bits as u32 % 3, local: (bits >> 8) as u32 % 5 };
                match bits >> 61 {
                    0 => assert_eq!(table.pop_first(), map.pop_first()),
                    1..4 => assert_eq!(table.remove(number), map.remove(&number)),
                    _ => assert_eq!(table.replace(number, index), map.insert(number, index)),
                }
                assert_eq!(table.get(number), map.get(&number));
                assert_eq!(table.keys(), map.keys().copied().collect::<Vec<_>>());
                assert_eq!(table.is_empty(), map.is_empty());
            }
            assert_eq!(
                table.into_values().collect::<Vec<_>>(),
                map.into_values().collect::<Vec<_>>()
            );
        }
    }
}
