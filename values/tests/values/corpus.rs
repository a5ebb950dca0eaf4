//! The corpus of the fuzz target, replayed on stable, and random inputs beside it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::calls::Random;

#[path = "../../../fuzz/src/values.rs"]
mod values;

#[test]
fn the_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/values");
    let files = fs::read_dir(&corpus).expect("the corpus is there");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    for file in &files {
        println!("{}", file.display());
        values::check(&fs::read(file).expect("it can be read"));
    }
    assert!(files.len() >= 30, "the corpus is there: {}", files.len());
}

/// `DACAPO_FUZZ_SECONDS=60` goes on for a minute.
#[test]
fn random_inputs() {
    let seconds = std::env::var("DACAPO_FUZZ_SECONDS");
    let seconds = seconds.map_or(1, |seconds| seconds.parse().expect("a number"));
    let (start, mut seed) = (Instant::now(), 0u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        seed += 1;
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..10).for_each(|_| _ = random.below(2));
        let mut data: Vec<u8> = (0..4 * random.below(6)).map(|_| random.below(256) as u8).collect();
        if random.below(3) == 0 {
            data.extend([255; 4]);
            // Numbers that mean something in a shape.
            data.extend((0..random.below(60)).map(|_| match random.below(4) {
                0 => random.below(256) as u8,
                1 => 32 + random.below(4) as u8,
                _ => random.below(27) as u8,
            }));
        }
        println!("seed {seed}");
        values::check(&data);
    }
    println!("{seed} inputs");
}
