use alloc::sync::Arc;
use alloc::vec::Vec;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dacapo_store::StorageBackend;

use crate::random;

/// A disk in memory that counts what is done to it, and crashes or fails where it is told to.
///
/// It goes under the store that programs really use: its clones are one disk, as the handles of a
/// file are one file. [`fail`](Self::fail) says at which operation what happens, and
/// [`after_crash`](Self::after_crash) gives the disk that the next process finds. So a test that
/// crashes at every operation is a loop:
///
/// ```
/// use dacapo::sim::{Disk, DiskFault, Loss};
/// use dacapo::store::Options;
/// use dacapo::{Ctx, Executor, Result, Workflow};
///
/// const ADD: Workflow<u32, u32> = Workflow::new("add");
///
/// async fn add(ctx: &Ctx, n: u32) -> Result<u32> {
///     let one = ctx.step("one", async || Ok::<_, dacapo::Error>(1)).await?;
///     let two = ctx.step("two", async || Ok::<_, dacapo::Error>(2)).await?;
///     Ok(n + one + two)
/// }
///
/// /// One process, from its start to its end or until the disk fails.
/// fn process(disk: &Disk) -> Result<u32> {
///     let store = Options::new().open_backend(disk.clone()).map_err(dacapo::Error::new)?;
///     let executor = Executor::builder().workflow(ADD, add).open_with(store)?;
///     executor.block_on(executor.start(ADD, "add-1", 4)?)
/// }
///
/// // A crash while a store is being made is no concern of this test.
/// let empty = Disk::default();
/// drop(Options::new().open_backend(empty.clone()));
///
/// let whole = empty.after_crash(Loss::Nothing);
/// assert_eq!(process(&whole)?, 7);
/// for operation in 1..=whole.operations() {
///     let disk = empty.after_crash(Loss::Nothing);
///     disk.fail(operation, DiskFault::Crash);
///     let _cut_off = process(&disk);
///     for loss in Loss::each(operation) {
///         assert_eq!(process(&disk.after_crash(loss))?, 7, "{operation}, {loss:?}");
///     }
/// }
/// # Ok::<(), dacapo::Error>(())
/// ```
#[derive(Clone, Default, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Default, Debug)]
struct State {
    /// What the last sync made safe.
    safe: Vec<u8>,
    /// What was done since, in order.
    unsynced: Vec<Change>,
    /// The operation during which the power went.
    in_flight: Option<Change>,
    /// What is read: `safe` with all that is unsynced.
    now: Vec<u8>,
    operations: u64,
    fault: Option<(u64, DiskFault)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// What happens at an operation of a [`Disk`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// The power goes: this operation is cut off, and nothing works from then on, reads neither.
    Crash,
    /// It is refused, and the next one is done again.
    ErrorOnce,
    /// It is refused, and so is every later one that would change something.
    ErrorFrom,
}

/// What a crash does to that which was written and not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// All of it is there.
    Nothing,
    /// None of it is there.
    Everything,
    /// Some of the writes and lengths are there, whichever this seed decides, as if they had been
    /// carried out in another order.
    Part(u64),
    /// Some of the 512 bytes of each write are there, whichever this seed decides.
    Torn(u64),
}

/// How long a disk can become.
const MAX_LENGTH: u64 = 1 << 28;

/// What is written whole or not at all.
const SECTOR: usize = 512;

impl Loss {
    /// One of each kind, with this seed.
    #[must_use]
    pub const fn each(seed: u64) -> [Self; 4] {
        [Self::Nothing, Self::Everything, Self::Part(seed), Self::Torn(seed)]
    }
}

impl Disk {
    /// A disk that holds these bytes, safely.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let state = State { safe: bytes.clone(), now: bytes, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Has the operation with this number fail; they are counted from 1.
    pub fn fail(&self, operation: u64, fault: DiskFault) {
        self.state().fault = Some((operation, fault));
    }

    /// How many operations there were that would change something: writes, lengths and syncs.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What is read from it, if the process ends and the power does not.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.state().now.clone()
    }

    /// The disk as it is when the power is back: without a fault, and counting from 1 again.
    ///
    /// The operation that was cut off counts as one that was not synced; that
    /// [`Nothing`](Loss::Nothing) is lost means that it was not begun.
    #[must_use]
    pub fn after_crash(&self, loss: Loss) -> Self {
        let state = self.state();
        Self::new(match loss {
            Loss::Nothing => state.now.clone(),
            Loss::Everything => state.safe.clone(),
            Loss::Part(seed) => state.survivors(Chance::new(seed), Chance::always()),
            Loss::Torn(seed) => state.survivors(Chance::always(), Chance::new(seed)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one operation, and carries it out unless it is to fail.
    fn change(&self, change: Option<Change>) -> io::Result<()> {
        let mut state = self.state();
        state.operations += 1;
        match (state.fault, state.operations) {
            (Some((at, DiskFault::Crash)), now) if now >= at => {
                if now == at {
                    state.in_flight = change;
                }
                return Err(refused());
            }
            (Some((at, DiskFault::ErrorOnce)), now) if now == at => return Err(refused()),
            (Some((at, DiskFault::ErrorFrom)), now) if now >= at => return Err(refused()),
            _ => {}
        }
        match change {
            Some(change) => {
                change.apply(&mut state.now, &mut Chance::always());
                state.unsynced.push(change);
            }
            None => {
                let synced = core::mem::take(&mut state.unsynced);
                synced
                    .iter()
                    .for_each(|change| change.apply(&mut state.safe, &mut Chance::always()));
            }
        }
        Ok(())
    }
}

impl State {
    fn survivors(&self, mut change: Chance, mut sector: Chance) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        for kept in self.unsynced.iter().chain(&self.in_flight).filter(|_| change.falls()) {
            kept.apply(&mut bytes, &mut sector);
        }
        bytes
    }

    fn is_off(&self) -> bool {
        matches!(self.fault, Some((at, DiskFault::Crash)) if self.operations >= at)
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, sector: &mut Chance) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                let mut start = *offset;
                while start < end {
                    let next = end.min((start / SECTOR + 1) * SECTOR);
                    if sector.falls() {
                        bytes[start..next].copy_from_slice(&data[start - offset..next - offset]);
                    }
                    start = next;
                }
            }
        }
    }
}

/// A coin with a bias of its own, so that there are crashes that lose little and some that lose
/// nearly all.
struct Chance {
    seed: u64,
    tossed: u64,
    /// Of eight tosses, how many fall.
    eighths: u64,
}

impl Chance {
    fn new(seed: u64) -> Self {
        Self { seed, tossed: 0, eighths: 1 + random::mix(seed, 0) % 7 }
    }

    fn always() -> Self {
        Self { seed: 0, tossed: 0, eighths: 8 }
    }

    fn falls(&mut self) -> bool {
        self.tossed += 1;
        random::mix(self.seed, self.tossed) % 8 < self.eighths
    }
}

fn refused() -> io::Error {
    io::Error::other("the simulated disk was told to fail")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        if state.is_off() { Err(refused()) } else { Ok(state.now.len() as u64) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if state.is_off() {
            return Err(refused());
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = state.now.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > MAX_LENGTH {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(Some(Change::Length(len as usize)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset.saturating_add(data.len() as u64) > MAX_LENGTH {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.change(Some(Change::Write(offset as usize, data.to_vec())))
    }
}
