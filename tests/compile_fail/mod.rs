//! What the compiler must refuse (H16 of docs/hazards.md), with the messages that users see.
//!
//! When a compiler words a message differently: `TRYBUILD=overwrite cargo test compile_fail`, and
//! read the difference.

use dacapo::{Ctx, Executor, Handle, Sleep, Step, Task};

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/cases/*.rs");
}

/// Implemented twice for what is `Send`: naming it is ambiguous then, and does not compile. (The
/// compiler's own message would list private fields, and change with them.)
trait IsNotSend<Marker> {
    fn holds() {}
}

impl<T> IsNotSend<()> for T {}

impl<T: Send> IsNotSend<u8> for T {}

/// One executor, one thread; and what belongs to a run belongs to its executor's thread.
#[test]
fn nothing_of_a_run_is_sent_to_another_thread() {
    <Executor as IsNotSend<_>>::holds();
    <Ctx as IsNotSend<_>>::holds();
    <Step<u32> as IsNotSend<_>>::holds();
    <Sleep as IsNotSend<_>>::holds();
    <Task<u32> as IsNotSend<_>>::holds();
    <Handle<u32> as IsNotSend<_>>::holds();
}
