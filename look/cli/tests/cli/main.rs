//! The program as a person and a script have it: what it prints, and the codes it ends with.

mod changes;
mod commands;
mod compacted;
mod deployed;
mod hostile;
mod json;
mod lines;
mod live;
mod mocks;
mod owners;
mod refusals;
mod support;
mod typed;
mod world;

// The example `order`, as it is: its parts name each other as those of its root.
#[path = "../../../../examples/order/desk.rs"]
mod desk;
#[path = "../../../../examples/order/orders.rs"]
#[expect(dead_code, reason = "the tests have orders of their own")]
mod orders;
#[path = "../../../../examples/order/shop.rs"]
mod shop;
#[path = "../../../../examples/order/workflow.rs"]
mod workflow;
