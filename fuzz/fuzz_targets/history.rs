//! Damages a history as the input says, and opens it. See `dacapo_fuzz::history`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::history::check(data));
