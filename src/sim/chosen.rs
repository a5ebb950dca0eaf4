use alloc::vec::Vec;
use core::cell::Cell;

use dacapo_store::RunKey;

use crate::choices::Choices;
use crate::random;

/// The choices that follow from a seed. Some seeds choose what happens in production.
pub(super) struct Chosen {
    seed: u64,
    drawn: Cell<u64>,
    /// How many turns there were.
    turns: Cell<u64>,
    /// Of eight polls of a body, at how many it lets the others go first.
    deferred_eighths: u64,
    batching: Batching,
    /// The seed of spurious wakes, which is that of all processes that are to make the same polls.
    wakes: Option<u64>,
    commit_bytes: Option<usize>,
}

/// How many polls of bodies come before a commit.
enum Batching {
    /// A round, as in production.
    Round,
    /// Some of a round.
    Less,
    /// Several rounds at most.
    More,
}

/// A process has ended after so many turns, or never will.
const MAX_TURNS: u64 = 500_000;

impl Chosen {
    pub(super) fn new(seed: u64, wakes: Option<u64>) -> Self {
        // Apart from what `Sim::random` draws from the same seed.
        let seed = random::mix(!seed, 0);
        let batching = match seed % 4 {
            0 => Batching::Round,
            1 => Batching::Less,
            _ => Batching::More,
        };
        let deferred_eighths = [0, 1, 2, 5][(seed >> 8) as usize % 4];
        Self {
            seed,
            drawn: Cell::new(1),
            turns: Cell::default(),
            deferred_eighths,
            batching,
            wakes,
            commit_bytes: None,
        }
    }

    pub(super) fn with_commit_bytes(self, commit_bytes: Option<usize>) -> Self {
        Self { commit_bytes, ..self }
    }

    fn draw(&self) -> u64 {
        random::mix(self.seed, self.drawn.replace(self.drawn.get() + 1))
    }
}

impl Choices for Chosen {
    fn defers(&self) -> bool {
        self.deferred_eighths > 0 && self.draw() % 8 < self.deferred_eighths
    }

    fn polls(&self, queued: usize) -> usize {
        self.turns.set(self.turns.get() + 1);
        assert!(self.turns.get() < MAX_TURNS, "the runs go on and on, and do not end");
        if queued == 0 {
            return 0;
        }
        match self.batching {
            Batching::Round => queued,
            Batching::Less => 1 + self.draw() as usize % queued,
            Batching::More => 1 + self.draw() as usize % (3 * queued),
        }
    }

    fn wakes(&self, run: RunKey, seq: u64, tasks: u32) -> Vec<u32> {
        let Some(seed) = self.wakes.filter(|_| tasks > 0) else { return Vec::new() };
        let seed = random::mix(random::mix(seed, run.0), seq);
        let wakes = [0, 0, 1, 3][random::mix(seed, 0) as usize % 4];
        let task = |index| (random::mix(seed, index) % u64::from(tasks)) as u32;
        (1..=wakes).map(task).collect()
    }

    fn commit_bytes(&self) -> Option<usize> {
        self.commit_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_seeds_choose_what_happens_in_production() {
        let plain = |seed| {
            let chosen = Chosen::new(seed, None);
            let polls = (1..50).all(|queued| chosen.polls(queued) == queued);
            polls && !(0..50).any(|_| chosen.defers())
        };
        let plain = (0..200).filter(|seed| plain(*seed)).count();
        assert!((1..40).contains(&plain), "{plain}");
    }

    #[test]
    fn a_turn_has_from_one_poll_to_three_rounds() {
        let mut seen = [0_usize; 31];
        for seed in 0..100 {
            let chosen = Chosen::new(seed, None);
            assert_eq!(chosen.polls(0), 0);
            (0..100).for_each(|_| seen[chosen.polls(10)] += 1);
        }
        assert_eq!(seen[0], 0);
        assert!(seen[1..].iter().all(|times| *times > 0), "{seen:?}");
    }

    #[test]
    fn spurious_wakes_are_a_function_of_seed_run_and_seq() {
        let wakes = |seed, seq| Chosen::new(1, Some(seed)).wakes(RunKey(1), seq, 9);
        let all = |seed| (0..100).map(|seq| wakes(seed, seq)).collect::<Vec<_>>();
        assert_eq!(all(5), all(5));
        assert_ne!(all(5), all(6));
        assert!(all(5).iter().flatten().all(|task| *task < 9));
        assert!(Chosen::new(1, None).wakes(RunKey(1), 1, 9).is_empty());
    }
}
