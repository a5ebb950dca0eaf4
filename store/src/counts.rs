use core::ops::{Index, IndexMut};

use crate::RunState;

/// How many runs there are in each state.
///
/// ```
/// use dacapo_store::{Counts, RunState};
///
/// let mut counts = Counts::default();
/// counts[RunState::Parked] = 2;
/// counts[RunState::Failed] = 1;
/// assert_eq!((counts.unfinished(), counts.ended(), counts.total()), (2, 1, 3));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts(pub(crate) [u64; RunState::ALL.len()]);

impl Counts {
    /// How many have not ended.
    pub fn unfinished(&self) -> u64 {
        RunState::UNFINISHED.iter().map(|state| self[*state]).sum()
    }

    /// How many have ended.
    pub fn ended(&self) -> u64 {
        RunState::ENDED.iter().map(|state| self[*state]).sum()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// A run has come into a state, or left one. The numbers of a damaged file may be anything, so
    /// they wrap.
    pub(crate) fn replace(&mut self, before: Option<RunState>, now: Option<RunState>) {
        if let Some(state) = before {
            self[state] = self[state].wrapping_sub(1);
        }
        if let Some(state) = now {
            self[state] = self[state].wrapping_add(1);
        }
    }
}

impl Index<RunState> for Counts {
    type Output = u64;

    fn index(&self, state: RunState) -> &u64 {
        &self.0[state as usize]
    }
}

impl IndexMut<RunState> for Counts {
    fn index_mut(&mut self, state: RunState) -> &mut u64 {
        &mut self.0[state as usize]
    }
}
