//! Two contexts of one task would take the same numbers.

use dacapo::Ctx;

fn keep(ctx: &Ctx) -> Ctx {
    Ctx::clone(ctx)
}

fn main() {}
