//! The rows of a range of a table, read page by page.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Bound;

use super::Tables;
use super::key::{Key, of_bytes};
use crate::values::Value;

/// The rows of a table in a range of its keys, in their order, made by [`Tables::range`].
pub struct Range<'a, K, V> {
    tables: &'a Tables<'a>,
    table: &'static str,
    /// What is left to be read behind the page.
    rest: Option<KeyRange>,
    page: VecDeque<(Vec<u8>, Vec<u8>)>,
    types: PhantomData<fn() -> (K, V)>,
}

type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl<'a, K, V> Range<'a, K, V> {
    pub(super) fn new(tables: &'a Tables<'a>, table: &'static str, range: KeyRange) -> Self {
        Self { tables, table, rest: Some(range), page: VecDeque::new(), types: PhantomData }
    }

    fn next_row(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        while self.page.is_empty() {
            let (from, to) = self.rest.take()?;
            let (page, behind) = self.tables.page(self.table, &from, &to)?;
            self.page = page;
            self.rest = behind.map(|behind| (behind, to));
        }
        self.page.pop_front()
    }
}

impl<K: Key, V: Value> Iterator for Range<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let (key, value) = self.next_row()?;
        let Some(key) = of_bytes::<K>(&key) else {
            self.tables.note_other_key::<K>(self.table, &key);
            return None;
        };
        let value = self.tables.decode(self.table, &key, &value)?;
        Some((key, value))
    }
}

impl<K, V> fmt::Debug for Range<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Range").field("table", &self.table).finish_non_exhaustive()
    }
}
