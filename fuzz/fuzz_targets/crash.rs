//! Carries out a program, and crashes it where the input says. See `fuzz/src/programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::crash(data));
