//! Carries out a program of tasks, and compares it with a model. See `fuzz/src/executor.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dacapo_fuzz::executor(data));
