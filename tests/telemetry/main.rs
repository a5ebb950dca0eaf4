//! What is told to those who watch a process by other means than ours: spans (`tracing`) and figures (`metrics`).

mod collected;
mod figures;
mod spans;
