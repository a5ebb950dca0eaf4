use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use std::io;

use redb::StorageBackend;

/// What is pending is found in pieces of this size.
const PIECE: u64 = 4096;

/// What was written, as it is to be written, and as it is read.
#[derive(Default)]
pub(super) struct PendingWrites {
    operations: Vec<Operation>,
    pieces: BTreeMap<u64, Vec<u8>>,
    /// The length of it all, if it was changed.
    length: Option<u64>,
    /// What lies below from here on was cut off. It counts if there was a change of length.
    cut: u64,
}

enum Operation {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

impl PendingWrites {
    /// Does what is pending, in its order; nothing is pending then.
    pub(super) fn flush(&mut self, below: &impl StorageBackend) -> io::Result<()> {
        for operation in self.operations.drain(..) {
            match operation {
                Operation::Write(offset, data) => below.write(offset, &data)?,
                Operation::Length(length) => below.set_len(length)?,
                Operation::Sync => below.sync_data()?,
            }
        }
        *self = PendingWrites::default();
        Ok(())
    }

    pub(super) fn length(&self, below: &impl StorageBackend) -> io::Result<u64> {
        self.length.map_or_else(|| below.len(), Ok)
    }

    pub(super) fn read(
        &self,
        below: &impl StorageBackend,
        offset: u64,
        out: &mut [u8],
    ) -> io::Result<()> {
        let end = offset + out.len() as u64;
        if end > self.length(below)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let cut = if self.length.is_some() { self.cut } else { below.len()? };
        let sound = cut.saturating_sub(offset).min(out.len() as u64) as usize;
        let (from_below, beyond) = out.split_at_mut(sound);
        beyond.fill(0);
        if sound > 0 {
            below.read(offset, from_below)?;
        }
        for (number, bytes) in self.pieces.range(offset / PIECE..end.div_ceil(PIECE)) {
            let start = number * PIECE;
            let (from, to) = (offset.max(start), end.min(start + PIECE));
            out[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&bytes[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        below: &impl StorageBackend,
        offset: u64,
        data: &[u8],
    ) -> io::Result<()> {
        let end = offset + data.len() as u64;
        let length = self.length(below)?;
        for number in offset / PIECE..end.div_ceil(PIECE) {
            let start = number * PIECE;
            let (from, to) = (offset.max(start), end.min(start + PIECE));
            if !self.pieces.contains_key(&number) {
                let mut bytes = vec![0; PIECE as usize];
                let known = length.saturating_sub(start).min(PIECE) as usize;
                if to - from < PIECE {
                    self.read(below, start, &mut bytes[..known])?;
                }
                self.pieces.insert(number, bytes);
            }
            let bytes = self.pieces.get_mut(&number).expect("it is there by now");
            bytes[(from - start) as usize..(to - start) as usize]
                .copy_from_slice(&data[(from - offset) as usize..(to - offset) as usize]);
        }
        self.operations.push(Operation::Write(offset, data.to_vec()));
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        self.operations.push(Operation::Sync);
    }

    pub(super) fn set_length(
        &mut self,
        below: &impl StorageBackend,
        length: u64,
    ) -> io::Result<()> {
        let before = if self.length.is_some() { self.cut } else { below.len()? };
        self.cut = before.min(length);
        // What is cut off is gone, and reads as zeros if the length grows again.
        self.pieces.split_off(&length.div_ceil(PIECE));
        if let Some(bytes) = self.pieces.get_mut(&(length / PIECE)) {
            bytes[(length % PIECE) as usize..].fill(0);
        }
        self.length = Some(length);
        self.operations.push(Operation::Length(length));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn contents(below: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; below.len().unwrap() as usize];
        below.read(0, &mut bytes).unwrap();
        bytes
    }

    /// Against a backend that does everything at once.
    #[test]
    fn what_is_pending_reads_as_if_it_had_been_written() {
        let mut seed = 1u64;
        let mut draw = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let (model, below) = (InMemoryBackend::new(), InMemoryBackend::new());
            let length = draw(30_000);
            let start: Vec<u8> = (0..length).map(|_| draw(256) as u8).collect();
            for backend in [&model, &below] {
                backend.set_len(length).unwrap();
                backend.write(0, &start).unwrap();
            }
            let mut pending = PendingWrites::default();
            for _ in 0..draw(20) {
                let length = pending.length(&below).unwrap();
                let from = draw(length + 1);
                let size = draw((length - from).min(9_000) + 1);
                match draw(4) {
                    0 => {
                        let length = draw(30_000);
                        model.set_len(length).unwrap();
                        pending.set_length(&below, length).unwrap();
                    }
                    1 => {
                        let (mut expected, mut found) =
                            (vec![0; size as usize], vec![1; size as usize]);
                        model.read(from, &mut expected).unwrap();
                        pending.read(&below, from, &mut found).unwrap();
                        assert!(expected == found);
                    }
                    _ => {
                        let data: Vec<u8> = (0..size).map(|_| draw(256) as u8).collect();
                        model.write(from, &data).unwrap();
                        pending.write(&below, from, &data).unwrap();
                    }
                }
            }
            assert!(contents(&below) == start, "nothing is written yet");
            pending.flush(&below).unwrap();
            assert!(contents(&below) == contents(&model));
        }
    }
}
