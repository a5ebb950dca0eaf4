//! Programs of tasks for the executor, whose trace must be the one of its model.

#[path = "../../executor/tests/promises/model.rs"]
mod model;
#[path = "../../executor/tests/promises/program.rs"]
mod program;
#[path = "../../executor/tests/promises/trace.rs"]
#[allow(dead_code, unused_imports, reason = "other tests use more of it")]
mod trace;

use model::Model;
use program::{Body, EVENTS, MAX_TASKS, Op, Program, ROOTS, run};

/// The bytes of a program: 0 after the last.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first) % bound
    }

    fn program(&mut self) -> Program {
        let bodies = ROOTS + 1 + self.below(6);
        let body = |body| Body {
            ops: (0..1 + self.below(8)).map(|_| self.op(body, bodies)).collect(),
            drop_ops: (0..self.below(3)).map(|_| self.drop_op(body, bodies)).collect(),
        };
        (0..bodies).map(body).collect()
    }

    fn op(&mut self, body: usize, bodies: usize) -> Op {
        match self.below(16) {
            0..=2 => Op::Yield,
            3 => Op::Set(self.below(EVENTS)),
            4 => Op::Wait(self.below(EVENTS)),
            5..=7 if body + 1 < bodies => Op::Spawn(self.later(body, bodies)),
            8 => Op::Await(self.below(8)),
            9 => Op::Drop(self.below(8)),
            10 => Op::Share(self.below(8)),
            11 => Op::AwaitShared(self.below(8)),
            12 => Op::DropShared(self.below(8)),
            13 => Op::LeaveWaker,
            14 => Op::Abort(self.below(MAX_TASKS)),
            _ => self.drop_op(body, bodies),
        }
    }

    fn drop_op(&mut self, body: usize, bodies: usize) -> Op {
        match self.below(5) {
            0 => Op::Set(self.below(EVENTS)),
            1 => Op::DropShared(self.below(8)),
            2 => Op::Abort(self.below(12)),
            3 if body + 1 < bodies => Op::SpawnDetached(self.later(body, bodies)),
            _ => Op::Wake(self.below(8)),
        }
    }

    /// Bodies spawn later ones only, so every program ends.
    fn later(&mut self, body: usize, bodies: usize) -> usize {
        body + 1 + self.below(bodies - body - 1)
    }
}

/// Carries out the program that the bytes stand for, on the executor and on its model.
pub(crate) fn check(data: &[u8]) {
    let program = Bytes(data).program();
    assert_eq!(run(&program), Model::run(&program), "{program:#?}");
}
