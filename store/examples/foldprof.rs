//! scratch
use dacapo_store::*;
use std::time::Instant;
fn main() {
    let path = std::env::temp_dir().join(format!("foldprof-{}", std::process::id()));
    let cache: usize = std::env::args().nth(1).map_or(64, |a| a.parse().unwrap());
    let commits: u64 = std::env::args().nth(2).map_or(25, |a| a.parse().unwrap());
    let mut store =
        Options::new().cache_bytes(cache << 20).fold_bytes(usize::MAX).open(&path).unwrap();
    let mut batch = Batch::new();
    for round in 0..6u64 {
        let t = Instant::now();
        for p in 0..commits {
            batch.clear();
            for run in (0..10000).map(RunKey) {
                batch.push(run, round * commits + p, |b| b.extend_from_slice(&[7; 120]));
            }
            store.commit(&batch).unwrap();
        }
        let c = t.elapsed();
        let t = Instant::now();
        let _ = store.last(RunKey(0));
        let i = t.elapsed();
        let t = Instant::now();
        store.fold().unwrap();
        println!("commits {c:?} index {i:?} fold {:?}", t.elapsed());
    }
    drop(store);
    std::fs::remove_file(&path).unwrap();
}
