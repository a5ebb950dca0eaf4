//! Damages a history as the input says, and opens it. See `fuzz/src/history.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::history(data));
