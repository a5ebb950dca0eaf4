//! Carries out a program, and replays it. See `fuzz/src/programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::replay(data));
