//! A map by number that is small for a run that awaits little, and quick for one that awaits much.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::list::List;
use crate::record::Number;

/// Values by operation number.
#[expect(
    clippy::box_collection,
    reason = "an empty map beside the few would make every run larger"
)]
pub(crate) enum Table<T> {
    /// At most [`FEW`] values, in no order.
    Few(List<(Number, T)>),
    /// In a box: most runs never have so many, and need no room for it.
    Many(Box<BTreeMap<Number, T>>),
}

/// So many values are looked for one by one.
const FEW: usize = 8;

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self::Few(List::default())
    }
}

impl<T> Table<T> {
    /// # Panics
    ///
    /// Panics if there is a value with this number.
    pub(crate) fn insert(&mut self, number: Number, value: T) {
        assert!(self.get(number).is_none(), "an operation is asked for once");
        match self {
            Self::Few(few) if few.as_slice().len() < FEW => few.push((number, value)),
            Self::Few(few) => {
                let few = core::mem::take(few).into_iter();
                *self = Self::Many(Box::new(few.chain([(number, value)]).collect()));
            }
            Self::Many(many) => drop(many.insert(number, value)),
        }
    }

    pub(crate) fn remove(&mut self, number: Number) -> Option<T> {
        match self {
            Self::Few(few) => {
                let index = few.as_slice().iter().position(|(key, _)| *key == number)?;
                Some(few.swap_remove(index).1)
            }
            Self::Many(many) => {
                let removed = many.remove(&number);
                // Half as many, so that it does not change its form again and again.
                if many.len() <= FEW / 2 {
                    let many = core::mem::take(many);
                    *self = Self::default();
                    many.into_iter().for_each(|(number, value)| self.insert(number, value));
                }
                removed
            }
        }
    }

    pub(crate) fn get(&self, number: Number) -> Option<&T> {
        match self {
            Self::Few(few) => {
                let mut few = few.as_slice().iter();
                few.find_map(|(key, value)| (*key == number).then_some(value))
            }
            Self::Many(many) => many.get(&number),
        }
    }

    /// All numbers, in their order.
    pub(crate) fn numbers(&self) -> Vec<Number> {
        let mut numbers: Vec<_> = match self {
            Self::Few(few) => few.as_slice().iter().map(|&(number, _)| number).collect(),
            Self::Many(many) => many.keys().copied().collect(),
        };
        numbers.sort_unstable();
        numbers
    }

    /// All values, in the order of their numbers.
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        let (mut few, many) = match self {
            Self::Few(few) => (few, BTreeMap::new()),
            Self::Many(many) => (List::default(), *many),
        };
        few.as_mut_slice().sort_unstable_by_key(|&(number, _)| number);
        few.into_iter().chain(many).map(|(_, value)| value)
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

    /// Random insertions and removals, at sizes around the change of form, beside a plain map.
    #[test]
    fn is_a_map() {
        for seed in 0..200 {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for index in 0..200 {
                let bits = random::mix(seed, index);
                let number = Number { task: bits as u32 % 3, local: (bits >> 8) as u32 % 5 };
                if bits >> 63 == 0 && !map.contains_key(&number) {
                    table.insert(number, index);
                    map.insert(number, index);
                } else {
                    assert_eq!(table.remove(number), map.remove(&number));
                }
                assert_eq!(table.get(number), map.get(&number));
                assert_eq!(table.numbers(), map.keys().copied().collect::<Vec<_>>());
                assert_eq!(table.is_empty(), map.is_empty());
            }
            assert_eq!(
                table.into_values().collect::<Vec<_>>(),
                map.into_values().collect::<Vec<_>>()
            );
        }
    }
}
