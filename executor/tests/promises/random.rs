//! Random programs: the executor and the model of it give the same trace.

use super::model::Model;
use super::program::{Body, EVENTS, MAX_TASKS, Op, Program, ROOTS, run};

#[test]
fn random_programs_give_the_trace_of_the_model() {
    for seed in 0..10_000 {
        let program = generate(seed);
        let (real, model) = (run(&program), Model::run(&program));
        assert_eq!(real, model, "seed {seed}: {program:#?}");
    }
}

/// A small generator (splitmix64) is all it takes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % bound as u64) as usize
    }
}

fn generate(seed: u64) -> Program {
    let mut random = Random(seed);
    let bodies = ROOTS + 1 + random.below(6);
    (0..bodies)
        .map(|body| Body {
            ops: (0..1 + random.below(8)).map(|_| op(&mut random, body, bodies)).collect(),
            drop_ops: (0..random.below(3)).map(|_| drop_op(&mut random, body, bodies)).collect(),
        })
        .collect()
}

fn op(random: &mut Random, body: usize, bodies: usize) -> Op {
    let place = random.below(8);
    match random.below(16) {
        0..=2 => Op::Yield,
        3 => Op::Set(place % EVENTS),
        4 => Op::Wait(place % EVENTS),
        5..=7 if body + 1 < bodies => Op::Spawn(body + 1 + random.below(bodies - body - 1)),
        8 => Op::Await(place),
        9 => Op::Drop(place),
        10 => Op::Share(place),
        11 => Op::AwaitShared(place),
        12 => Op::DropShared(place),
        13 => Op::LeaveWaker,
        14 => Op::Abort(random.below(MAX_TASKS)),
        _ => drop_op(random, body, bodies),
    }
}

/// What a drop may do: all that does not wait and needs no handles of its own.
fn drop_op(random: &mut Random, body: usize, bodies: usize) -> Op {
    match random.below(5) {
        0 => Op::Set(random.below(EVENTS)),
        1 => Op::DropShared(random.below(8)),
        2 => Op::Abort(random.below(12)),
        3 if body + 1 < bodies => Op::SpawnDetached(body + 1 + random.below(bodies - body - 1)),
        _ => Op::Wake(random.below(8)),
    }
}
