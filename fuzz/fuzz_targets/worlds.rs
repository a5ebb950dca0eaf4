//! Carries out a world of programs that talk to each other. See `fuzz/src/programs/worlds`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::worlds(data));
