use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A disk in memory that can be told to fail, and forgets what was not synced when it crashes.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What the last sync has made safe.
    safe: Vec<u8>,
    /// What was done since, in order.
    pending: Vec<Op>,
    /// What is read: `safe` with all that is pending.
    now: Vec<u8>,
    /// How many operations there have been that change something: writes, lengths, syncs.
    operations: u64,
    fault: Option<(u64, Fault)>,
}

#[derive(Clone, Debug)]
enum Op {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// What happens instead of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It fails, and the next one is done again.
    ErrorOnce,
    /// It fails, and so does everything after it. With a loss, this is a crash.
    ErrorFrom,
}

/// What a crash does to the operations that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    Nothing,
    All,
    /// Each is kept or not.
    Part,
    /// Each 512 bytes of each write are kept or not.
    Torn,
}

impl Loss {
    pub(crate) const EACH: [Loss; 4] = [Loss::Nothing, Loss::All, Loss::Part, Loss::Torn];
}

impl Disk {
    pub(crate) fn new(bytes: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State {
            safe: bytes.clone(),
            pending: Vec::new(),
            now: bytes,
            operations: 0,
            fault: None,
        })))
    }

    /// Fails at the operation with this number, counted from 0.
    pub(crate) fn failing(bytes: Vec<u8>, at: u64, fault: Fault) -> Disk {
        let disk = Disk::new(bytes);
        disk.state().fault = Some((at, fault));
        disk
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What is read from it now.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().now.clone()
    }

    /// What is left of it after a crash.
    pub(crate) fn after_crash(&self, loss: Loss, mut seed: u64) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.safe.clone();
        let mut keeps = |part: Loss| match loss {
            Loss::Nothing => true,
            Loss::All => false,
            _ if loss != part => true,
            _ => {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                seed >> 63 == 0
            }
        };
        for op in &state.pending {
            match op {
                Op::Length(length) if keeps(Loss::Part) => bytes.resize(*length as usize, 0),
                Op::Write(offset, data) if keeps(Loss::Part) => {
                    for (i, piece) in data.chunks(512).enumerate() {
                        if keeps(Loss::Torn) {
                            put(&mut bytes, *offset as usize + 512 * i, piece);
                        }
                    }
                }
                _ => {}
            }
        }
        bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        match state.fault {
            Some((at, Fault::ErrorOnce)) if number == at => Err(io::Error::other("told to fail")),
            Some((at, Fault::ErrorFrom)) if number >= at => Err(io::Error::other("told to fail")),
            _ => Ok(state),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, offset) = (self.state(), offset as usize);
        let range = state.now.get(offset..offset + out.len());
        out.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.operate()?;
        state.now.resize(len as usize, 0);
        state.pending.push(Op::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.operate()?;
        state.safe = state.now.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.operate()?;
        put(&mut state.now, offset as usize, data);
        state.pending.push(Op::Write(offset, data.to_vec()));
        Ok(())
    }
}
