//! Damages values and their shapes as the input says, and looks at them. See `fuzz/src/values.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::values(data));
