//! Carries out a program over a disk that fails where the input says. See `fuzz/src/programs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::disk(data));
